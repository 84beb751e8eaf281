// What jsforce makes of the sandbox; one JSON document on standard output. Arguments: url, client id, client secret, user, password.
const jsforce = require('jsforce');

const [url, clientId, clientSecret, user, password] = process.argv.slice(2);
const version = '60.0';

async function refused(act) {
  try {
    await act();
  } catch (error) {
    return error.errorCode || error.message;
  }
  return '';
}

async function logins(told) {
  const soap = new jsforce.Connection({ loginUrl: url, version });
  const who = await soap.login(user, password);
  const conn = new jsforce.Connection({ oauth2: { loginUrl: url, clientId, clientSecret }, version });
  const again = await conn.login(user, password);
  told.sameUser = who.id === again.id;
  told.wrongPassword = await refused(() => new jsforce.Connection({ loginUrl: url, version }).login(user, 'wrong'));
  const app = new jsforce.Connection({ instanceUrl: url, oauth2: { loginUrl: url, clientId, clientSecret }, version });
  await app.authorize({ grant_type: 'client_credentials' });
  told.identity = (await app.identity()).username;
  return conn;
}

async function reading(conn, told) {
  told.objects = (await conn.describeGlobal()).sobjects.map((one) => one.name);
  told.emailType = (await conn.sobject('Contact').describe()).fields.find((field) => field.name === 'Email').type;
  const first = await conn.query('SELECT Id, Account.Name FROM Contact');
  told.firstPage = [first.totalSize, first.done, first.records.length];
  told.secondPage = (await conn.queryMore(first.nextRecordsUrl)).records.length;
  const every = await conn.query('SELECT Id FROM Contact', { autoFetch: true, maxFetch: 10000 });
  told.fetched = new Set(every.records.map((row) => row.Id)).size;
  told.malformed = await refused(() => conn.query('SELECT Id FRM Contact'));
  told.noField = await refused(() => conn.query('SELECT Nope FROM Contact'));
}

async function writing(conn, told) {
  const contacts = conn.sobject('Contact');
  const one = await contacts.create({ LastName: 'Eins', Email: 'eins@example.com' });
  told.updated = (await contacts.update({ Id: one.id, Title: 'Chief' })).success;
  told.title = (await contacts.retrieve(one.id)).Title;
  told.upserts = [];
  for (const name of ['A', 'B']) {
    told.upserts.push((await contacts.upsert({ Mkt_Id__c: 'js-1', LastName: name }, 'Mkt_Id__c')).created ?? null);
  }
  const many = await contacts.create([{ LastName: 'X' }, { FirstName: 'nameless' }, { LastName: 'Y' }]);
  told.many = many.map((row) => (row.success ? 'ok' : row.errors[0].statusCode));
  const ids = many.filter((row) => row.success).map((row) => row.id);
  told.manyUpdated = (await contacts.update(ids.map((Id) => ({ Id, Title: 'T' })))).every((row) => row.success);
  told.retrieved = (await contacts.retrieve(ids)).map((row) => row.Title);
  told.manyDeleted = (await contacts.destroy(ids)).every((row) => row.success);
  await contacts.destroy(one.id);
  const all = await conn.query('SELECT Id FROM Contact WHERE IsDeleted = true', { scanAll: true });
  told.deleted = all.totalSize;
}

async function bulk(conn, told) {
  conn.bulk2.pollInterval = 50;
  const stream = await conn.bulk2.query('SELECT Id, LastName FROM Contact');
  told.bulkRows = (await stream.toArray()).length;
  const input = Array.from({ length: 30 }, (_, n) => ({ LastName: n === 3 ? '' : `Bulk ${n}`, Mkt_Id__c: `js-bulk-${n}` }));
  const results = await conn.bulk2.loadAndWaitForResults({
    object: 'Contact',
    operation: 'upsert',
    externalIdFieldName: 'Mkt_Id__c',
    input,
    pollInterval: 50,
  });
  told.ingest = [results.successfulResults.length, results.failedResults.length, results.unprocessedRecords.length];
  told.bulkError = results.failedResults[0].sf__Error.split(':')[0];
  const gone = await conn.bulk2.loadAndWaitForResults({
    object: 'Contact',
    operation: 'delete',
    input: results.successfulResults.map((row) => ({ Id: row.sf__Id })),
    pollInterval: 50,
  });
  told.bulkDeleted = gone.successfulResults.length;
}

async function renewing(conn, told) {
  // jsforce refreshes by itself when the token has died under it.
  conn.accessToken = '00Dold!token';
  told.afterRenewal = (await conn.query('SELECT COUNT() FROM Account')).totalSize;
}

(async () => {
  const told = {};
  const conn = await logins(told);
  await reading(conn, told);
  await writing(conn, told);
  await bulk(conn, told);
  await renewing(conn, told);
  told.limits = conn.limitInfo.apiUsage.limit;
  console.log(JSON.stringify(told));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});

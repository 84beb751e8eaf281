// Names the column in every cell, so that on a narrow screen a row can be read as a card (site.css).
document.querySelectorAll(".md-typeset table:not([class])").forEach((table) => {
  const heads = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim());
  table.querySelectorAll("tbody tr").forEach((row) => {
    [...row.children].forEach((cell, place) => {
      if (heads[place]) cell.dataset.head = heads[place];
    });
  });
});

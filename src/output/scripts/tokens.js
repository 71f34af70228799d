// The view `tokens`: pointing at or focusing a generated token lights up what it came from; pointing at another token, what came
// of it. One generated token is a tab stop; the arrow keys go on from it.
for (const [root, data] of newElements("tokens")) {
  const [, columns] = data.shape, tokens = [...root.querySelectorAll("[data-row]")], steps = [...root.querySelectorAll("[data-column]")];
  const readout = make("div", {class: "ci-readout", role: "status"});
  const words = Object.fromEntries(tokens.map(token => [token.dataset.row, token.textContent]));
  const scoreAt = (row, column) => data.scores[row * columns + column];
  let pinned = 0;
  root.append(readout);

  const mark = element => {
    for (const lit of root.querySelectorAll(".ci-chosen")) lit.classList.remove("ci-chosen");
    element.classList.add("ci-chosen");
  };
  const strongest = (entries, name) => {
    const found = entries.filter(([score]) => score && !Number.isNaN(score)).sort((a, b) => Math.abs(b[0]) - Math.abs(a[0])).slice(0, 5);
    return found.map(([score, i]) => `${name(i)} ${exact(score)}`).join(", ") || "nothing";
  };

  const showColumn = column => {
    mark(steps[column]);
    for (const token of tokens) paint(token, scoreAt(token.dataset.row, column), data.limits);
    for (const step of steps) if (!("row" in step.dataset)) paint(step, NaN, data.limits);
    const below = data.steps.map(([name, values]) => `, ${name} ${shortOf(values)(values[column] ?? NaN)}`).join("");
    const from = strongest(tokens.map(token => [scoreAt(token.dataset.row, column), token.dataset.row]), row => words[row]);
    readout.textContent = `${steps[column].textContent}${below} ← ${from}`;
  };
  const showRow = token => {
    const row = token.dataset.row;
    mark(token);
    for (const other of tokens) paint(other, NaN, data.limits);
    steps.forEach((step, column) => paint(step, scoreAt(row, column), data.limits));
    readout.textContent = `${words[row]} → ${strongest(steps.map((step, i) => [scoreAt(row, i), i]), i => steps[i].textContent)}`;
  };
  const pin = column => {
    steps[pinned].tabIndex = -1;
    steps[pinned].setAttribute("aria-pressed", "false");
    pinned = column;
    steps[pinned].tabIndex = 0;
    steps[pinned].setAttribute("aria-pressed", "true");
    showColumn(column);
  };

  steps.forEach((step, column) => {
    step.tabIndex = -1;
    step.addEventListener("pointerenter", () => showColumn(column));
    step.addEventListener("focus", () => pin(column));
    step.addEventListener("click", () => pin(column));
    step.addEventListener("keydown", event => {
      const to = {ArrowRight: column + 1, ArrowDown: column + 1, ArrowLeft: column - 1, ArrowUp: column - 1, Home: 0, End: steps.length - 1}[event.key];
      if (to === undefined) return;
      event.preventDefault();
      steps[Math.max(0, Math.min(steps.length - 1, to))].focus();
    });
  });
  for (const token of tokens) if (!("column" in token.dataset)) token.addEventListener("pointerenter", () => showRow(token));
  root.addEventListener("pointerleave", () => { if (steps.length) showColumn(pinned); });
  if (steps.length) pin(0);
}

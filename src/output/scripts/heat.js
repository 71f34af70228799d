// What the scripts of all views share: scores as page_live.c embeds them, colours, and a heat map of any size that draws only
// what is in sight. Every script is one function around heat.js and the view's own file; it takes care of the elements
// of its view that no script has taken yet, so many outputs of a notebook do not meet.
"use strict";
const BLUE = [33, 102, 172], RED = [178, 24, 43], DIGITS_FROM = 40, LABELS_FROM = 12;
const WHITE_FROM = [0.769, 0.88]; // shares of red and blue on which white reads better than black, as ci_color_wants_black
const ZOOMS = [1, 2, 3, 5, 8, 12, 15, 20, 28, 46, 60];

// Three bytes a number: the upper ones of a float32, rounded.
function decode(text, count) {
  const bytes = atob(text), scores = new Float32Array(count), bits = new Uint32Array(scores.buffer);
  for (let i = 0, at = 0; i < count; i++, at += 3)
    bits[i] = bytes.charCodeAt(at) << 24 | bytes.charCodeAt(at + 1) << 16 | bytes.charCodeAt(at + 2) << 8;
  return scores;
}

// The elements of a view that are new, with what they hold.
function newElements(view) {
  return [...document.querySelectorAll(`.ci-live[data-view="${view}"]:not([data-ready])`)].map(root => {
    root.dataset.ready = "";
    const data = JSON.parse(root.dataset.result);
    data.size = data.shape.reduce((a, b) => a * b, 1);
    data.scores = decode(root.dataset.scores, data.size);
    const plain = root.parentElement.querySelector(".ci-plain");
    if (plain) plain.open = false;
    return [root, data];
  });
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// -1 to 1.
function shareOf(score, [min, max]) {
  const limit = score > 0 ? max : min;
  return score ? Math.max(-1, Math.min(1, limit ? Math.abs(score / limit) * Math.sign(score) : Math.sign(score))) : 0;
}

// The background of an element, and white ink where that reads better on white paper: as page_text.c does it.
function paint(element, score, limits) {
  const share = Number.isNaN(score) ? 0 : shareOf(score, limits), color = share > 0 ? RED : BLUE;
  element.style.background = share ? `rgba(${color},${Math.abs(share).toFixed(3)})` : "";
  element.style.color = wantsWhite(share) ? "#fff" : "";
}
const wantsWhite = share => share > WHITE_FROM[0] || share < -WHITE_FROM[1];

function short(score) {
  if (Number.isNaN(score)) return "";
  const size = Math.abs(score);
  return size && size < 0.0005 ? score.toExponential(0) : size < 100 ? score.toFixed(3) : score.toPrecision(4);
}
// A function that writes the step scores of a row (null: none): counts, such as n_steps, have no decimals, as in heat_table.c.
const shortOf = values => values.every(value => value === null || Number.isInteger(value))
  ? score => Number.isNaN(score) ? "" : String(score) : short;
const exact = score => Number.isNaN(score) ? "not generated yet" : String(+score.toPrecision(4));

function limitsOf(scores) {
  let max = 0;
  for (const score of scores) if (Math.abs(score) > max && Number.isFinite(score)) max = Math.abs(score);
  return [-max, max];
}

// A heat map in `root`: scroll it, walk through it with the arrow keys, look for a token, zoom from a pixel a cell to numbers.
class Heat {
  constructor(root, name) {
    this.id = "ci-" + Math.random().toString(36).slice(2);
    this.hover = null;
    this.at = [0, 0];
    this.find = make("input", {type: "search", placeholder: "Find a token", "aria-label": "Find a token"});
    this.zoom = make("input", {type: "range", min: 0, max: ZOOMS.length - 1, "aria-label": "Size of a cell"});
    this.readout = make("span", {class: "ci-readout", "aria-hidden": "true"});
    this.canvas = make("canvas", {"aria-hidden": "true"});
    this.cell = make("div", {role: "gridcell", id: this.id});
    this.row = make("div", {role: "row", class: "ci-hidden"}, this.cell);
    this.pane = make("div", {class: "ci-pane"}, this.canvas);
    this.spacer = make("div", {class: "ci-spacer"});
    this.grid = make("div", {class: "ci-grid", role: "grid", tabindex: 0, "aria-label": name, "aria-activedescendant": this.id},
                     this.pane, this.spacer, this.row);
    this.tools = make("div", {class: "ci-tools"}, make("label", {}, "Size ", this.zoom), this.find, this.readout);
    root.append(this.tools, this.grid);
    this.canvas.getContext("2d");
    this.listen();
  }

  // map: {scores [rows.length * columns.length], rows, columns: labels, firsts: their first numbers, kinds: what one is called that is no
  // token, limits, steps: [[name, values of the columns]]}
  show(map) {
    this.map = map;
    this.grid.setAttribute("aria-rowcount", map.rows.length);
    this.grid.setAttribute("aria-colcount", map.columns.length);
    this.at = [Math.min(this.at[0], map.rows.length - 1), Math.min(this.at[1], map.columns.length - 1)];
    this.hover = null;
    if (!this.zoomed) this.zoom.value = this.fitting();
    this.measure();
    this.tell();
  }

  // Numbers where all of it fits with them, else the largest cells that let the width fit; a token's name can be read anyway.
  fitting() {
    const room = (this.grid.parentElement.clientWidth || 900) - 160, {rows, columns} = this.map;
    let level = ZOOMS.length - 2;
    while (level > 5 && (ZOOMS[level] * columns.length > room || rows.length * columns.length > 20000)) level--;
    return level;
  }

  listen() {
    const grid = this.grid;
    this.zoom.addEventListener("input", () => { this.zoomed = true; this.measure(); });
    this.find.addEventListener("keydown", event => { if (event.key == "Enter") this.search(); });
    this.find.addEventListener("search", () => { if (this.find.value) this.search(); });
    grid.addEventListener("scroll", () => this.later());
    grid.addEventListener("pointermove", event => this.point(this.cellAt(event)));
    grid.addEventListener("pointerleave", () => this.point(null));
    grid.addEventListener("click", event => { const cell = this.cellAt(event); if (cell) { this.at = cell; this.tell(); this.later(); } });
    grid.addEventListener("keydown", event => this.key(event));
    grid.addEventListener("focus", () => this.later());
    grid.addEventListener("blur", () => this.later());
    const fit = () => { if (this.map && String(this.room()) != this.measured) this.measure(); };
    new ResizeObserver(fit).observe(grid.parentElement);
    addEventListener("resize", fit);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.later());
  }

  key(event) {
    const {rows, columns} = this.map, page = Math.max(1, Math.floor(this.grid.clientHeight / this.height) - 4);
    const moves = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-page, 0], PageDown: [page, 0],
                   Home: [event.ctrlKey ? -Infinity : 0, -Infinity], End: [event.ctrlKey ? Infinity : 0, Infinity]};
    const zooms = {"+": 1, "=": 1, "-": -1}, move = moves[event.key];
    if (zooms[event.key] && !event.ctrlKey && !event.metaKey) {
      this.zoom.value = +this.zoom.value + zooms[event.key];
      this.zoomed = true;
      this.measure();
    } else if (!move || event.altKey) return;
    else this.go(Math.max(0, Math.min(rows.length - 1, this.at[0] + move[0])), Math.max(0, Math.min(columns.length - 1, this.at[1] + move[1])));
    event.preventDefault();
  }

  go(row, column) {
    const grid = this.grid, left = column * this.width, top = row * this.height;
    const wide = grid.clientWidth - this.side, high = grid.clientHeight - this.head;
    this.at = [row, column];
    this.hover = null;
    if (left < grid.scrollLeft) grid.scrollLeft = left;
    if (left + this.width > grid.scrollLeft + wide) grid.scrollLeft = left + this.width - wide;
    if (top < grid.scrollTop) grid.scrollTop = top;
    if (top + this.height > grid.scrollTop + high) grid.scrollTop = top + this.height - high;
    this.tell();
    this.later();
  }

  // The next row or column whose token holds the text; around at the end.
  search() {
    const text = this.find.value.toLowerCase(), {rows, columns} = this.map;
    if (!text) return;
    const tokens = [...rows.map((token, i) => [token, i, -1]), ...columns.map((token, i) => [token, -1, i])];
    const hits = tokens.filter(([token]) => token.toLowerCase().includes(text));
    this.hit = this.sought == text ? (this.hit + 1) % hits.length : 0;
    this.sought = text;
    if (!hits.length) { this.readout.textContent = `no token with “${this.find.value}”`; return; }
    const [, row, column] = hits[this.hit];
    this.go(row < 0 ? this.at[0] : row, column < 0 ? this.at[1] : column);
    this.readout.textContent = `${this.hit + 1} of ${hits.length}: ` + this.readout.textContent;
  }

  cellAt(event) {
    const box = this.grid.getBoundingClientRect();
    const x = event.clientX - box.left - this.grid.clientLeft - this.side, y = event.clientY - box.top - this.grid.clientTop - this.head;
    const row = Math.floor((y + this.grid.scrollTop) / this.height), column = Math.floor((x + this.grid.scrollLeft) / this.width);
    return x >= 0 && y >= 0 && row < this.map.rows.length && column < this.map.columns.length ? [row, column] : null;
  }

  point(cell) {
    if (String(cell) == String(this.hover)) return;
    this.hover = cell;
    this.tell();
    this.later();
  }

  // One cell in words, for eyes and for screen readers.
  tell() {
    const {rows, columns, firsts, kinds, scores, steps} = this.map, [row, column] = this.hover || this.at;
    if (!rows.length || !columns.length) return;
    const score = exact(scores[row * columns.length + column]);
    const below = (steps || []).map(([name, values]) => `${name} ${shortOf(values)(values[column] ?? NaN)}`).join(", ");
    const from = `${kinds[0]} ${firsts[0] + row} ${rows[row]}`.trim(), to = `${kinds[1]} ${firsts[1] + column} ${columns[column]}`.trim();
    this.readout.textContent = `${from} → ${to}: ${score}${below ? ` (${below})` : ""}`;
    if (this.hover) return;
    this.row.setAttribute("aria-rowindex", row + 1);
    this.cell.setAttribute("aria-colindex", column + 1);
    this.cell.textContent = `${from}, to ${to}: ${score}${below ? `, ${below}` : ""}`;
  }

  // Width and height that the map may take.
  room() { return [this.grid.parentElement.clientWidth - 2, innerHeight]; }

  // Sizes of everything; then a drawing.
  measure() {
    const {rows, columns} = this.map, grid = this.grid, style = getComputedStyle(grid), [room, most] = this.room();
    this.measured = String([room, most]);
    this.width = ZOOMS[+this.zoom.value];
    this.height = this.width >= DIGITS_FROM ? 24 : this.width;
    this.font = `${style.fontWeight} 12px ${style.fontFamily}`;
    const pen = this.canvas.getContext("2d");
    pen.font = this.font;
    const widest = labels => { // of all that are short; measuring thousands is slow, and so is measuring words twice
      const longest = labels.reduce((a, b) => b.length > a.length ? b : a, "");
      return Math.max(...[...new Set([longest, ...labels.slice(0, 200)])].map(label => pen.measureText(label).width));
    };
    const number = pen.measureText(String(this.map.firsts[0] + rows.length)).width;
    this.number = number;
    this.side = Math.ceil(number + 18 + (this.height >= LABELS_FROM ? Math.min(170, widest(rows)) : 0));
    const steps = this.width >= DIGITS_FROM ? (this.map.steps || []).length : 0;
    this.side = Math.max(this.side, steps ? 18 + Math.ceil(widest(this.map.steps.map(step => step[0]))) : 0);
    const named = columns.some(label => label);
    const widestColumn = widest(columns), whole = Math.ceil(widestColumn) + 10; // whole names, if all of it fits with them
    if (named && this.width >= DIGITS_FROM && this.side + columns.length * whole <= room) this.width = Math.max(this.width, whole);
    this.stood = named && this.width < DIGITS_FROM && this.width >= LABELS_FROM; // tokens of columns stand on end
    this.head = this.width >= DIGITS_FROM && named ? 46 : this.stood ? 24 + Math.ceil(Math.min(110, widestColumn)) : 22;
    this.foot = steps * 24;
    const wide = this.side + columns.length * this.width, high = this.head + rows.length * this.height + this.foot;
    this.spacer.style.width = wide + "px";
    this.spacer.style.height = high + "px";
    const bar = 15, tallest = Math.max(160, most * 0.8);
    const tall = high + (wide > room ? bar : 0) > tallest;
    grid.style.height = Math.min(high + (wide > room ? bar : 0), tallest) + "px";
    grid.style.width = Math.min(wide + (tall ? bar : 0), room) + "px";
    this.later();
  }

  later() {
    this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  draw() {
    const {grid, canvas, map, width, height, side, head, foot} = this, {rows, columns} = map;
    const ratio = devicePixelRatio || 1, wide = grid.clientWidth, high = grid.clientHeight;
    if (!wide || !rows.length || !columns.length) return;
    if (canvas.width != Math.round(wide * ratio) || canvas.height != Math.round(high * ratio)) {
      canvas.width = Math.round(wide * ratio);
      canvas.height = Math.round(high * ratio);
      canvas.style.width = wide + "px";
      canvas.style.height = high + "px";
    }
    const style = getComputedStyle(grid), pen = canvas.getContext("2d");
    Object.assign(this, {pen, ink: style.color, paper: style.backgroundColor, muted: style.outlineColor});
    const x = Math.round(grid.scrollLeft), y = Math.round(grid.scrollTop), bottom = high - foot;
    const first = [Math.floor(y / height), Math.floor(x / width)];
    const last = [Math.min(rows.length, Math.ceil((y + bottom - head) / height)), Math.min(columns.length, Math.ceil((x + wide - side) / width))];
    const inSight = {x: side - x, y: head - y, first, last, wide, high, bottom: Math.min(bottom, head - y + rows.length * height)};
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.font = this.font;
    pen.textBaseline = "middle";
    pen.fillStyle = this.paper;
    pen.fillRect(0, 0, wide, high);
    this.drawCells(inSight);
    this.drawSide(inSight);
    this.drawHead(inSight);
    this.drawFoot(inSight);
    this.drawCross(inSight);
    pen.fillStyle = this.paper;
    pen.fillRect(0, 0, side, head);
  }

  clip(left, top, wide, high, draw) {
    this.pen.save();
    this.pen.beginPath();
    this.pen.rect(left, top, wide, high);
    this.pen.clip();
    draw(this.pen);
    this.pen.restore();
  }

  // A pixel for each cell in sight, enlarged; then gaps and numbers where cells are large enough.
  drawCells({x, y, first, last, wide, bottom}) {
    const {map: {scores, columns, limits}, width, height, side, head} = this, many = columns.length;
    const high = last[0] - first[0], broad = last[1] - first[1];
    if (high <= 0 || broad <= 0) return;
    const image = new ImageData(broad, high), pixels = image.data;
    for (let row = 0, at = 0; row < high; row++)
      for (let column = 0; column < broad; column++, at += 4) {
        const score = scores[(first[0] + row) * many + first[1] + column];
        if (!(score == score) || !score) continue;
        const share = shareOf(score, limits), color = share > 0 ? RED : BLUE;
        pixels[at] = color[0]; pixels[at + 1] = color[1]; pixels[at + 2] = color[2]; pixels[at + 3] = Math.round(Math.abs(share) * 255);
      }
    this.bitmap ||= document.createElement("canvas");
    this.bitmap.width = broad;
    this.bitmap.height = high;
    this.bitmap.getContext("2d").putImageData(image, 0, 0);
    this.clip(side, head, wide - side, bottom - head, pen => {
      pen.imageSmoothingEnabled = false;
      pen.drawImage(this.bitmap, x + first[1] * width, y + first[0] * height, broad * width, high * height);
      if (width < 8) return;
      pen.fillStyle = this.paper;
      for (let row = first[0]; row <= last[0]; row++) pen.fillRect(side, y + row * height - 1, wide, 1);
      for (let column = first[1]; column <= last[1]; column++) pen.fillRect(x + column * width - 1, head, 1, bottom);
      if (width >= DIGITS_FROM) this.drawNumbers(pen, {x, y, first, last});
    });
  }

  drawNumbers(pen, {x, y, first, last}) {
    const {map: {scores, columns, limits}, width, height} = this;
    pen.textAlign = "center";
    for (let row = first[0]; row < last[0]; row++)
      for (let column = first[1]; column < last[1]; column++) {
        const score = scores[row * columns.length + column];
        if (Number.isNaN(score)) continue;
        pen.fillStyle = wantsWhite(shareOf(score, limits)) ? "#fff" : this.ink;
        pen.fillText(short(score), x + (column + 0.5) * width, y + (row + 0.5) * height, width - 4);
      }
  }

  // Indices so far apart that they do not touch.
  static every(size, room) {
    for (const step of [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]) if (step * size >= room) return step;
    return 10000;
  }

  drawSide({y, first, last, bottom}) {
    const {map: {rows, firsts}, height, side, head, number} = this, step = Heat.every(height, LABELS_FROM);
    this.clip(0, head, side, bottom - head, pen => {
      pen.fillStyle = this.paper;
      pen.fillRect(0, head, side, bottom);
      for (let row = Math.floor(first[0] / step) * step; row < last[0]; row += step) {
        const middle = y + (row + 0.5) * height, lit = this.hover ? this.hover[0] == row : this.focused() && this.at[0] == row;
        if (lit) { this.shade(0.14, 0, y + row * height, side, height); }
        pen.textAlign = "right";
        pen.fillStyle = this.muted;
        pen.fillText(firsts[0] + row, number + 4, middle);
        pen.fillStyle = this.ink;
        if (height >= LABELS_FROM) pen.fillText(rows[row], side - 6, middle, side - number - 16);
      }
    });
  }

  drawHead({x, first, last, wide}) {
    const {map: {columns, firsts}, width, side, head, stood} = this;
    const numbered = Heat.every(width, 8 + this.pen.measureText(String(firsts[1] + columns.length)).width), step = stood ? Heat.every(width, 11) : numbered;
    this.clip(side, 0, wide - side, head, pen => {
      pen.fillStyle = this.paper;
      pen.fillRect(side, 0, wide, head);
      for (let column = Math.floor(first[1] / step) * step; column < last[1]; column += step) {
        const middle = x + (column + 0.5) * width, lit = this.hover ? this.hover[1] == column : this.focused() && this.at[1] == column;
        if (lit) { this.shade(0.14, x + column * width, 0, width, head); }
        pen.textAlign = "center";
        pen.fillStyle = this.muted;
        if (column % numbered == 0) pen.fillText(firsts[1] + column, middle, 11);
        pen.fillStyle = this.ink;
        if (width >= DIGITS_FROM && columns[column]) this.clip(x + column * width, 20, width - 2, head, () => {
          const fits = pen.measureText(columns[column]).width < width - 4;
          pen.textAlign = fits ? "center" : "left";
          pen.fillText(columns[column], fits ? middle : x + column * width + 2, 33);
        });
        else if (stood) {
          pen.save();
          pen.translate(middle, head - 5);
          pen.rotate(-Math.PI / 2);
          pen.textAlign = "left";
          pen.fillText(columns[column], 0, 0, head - 26);
          pen.restore();
        }
      }
    });
    this.shade(0.2, 0, head - 1, wide, 1);
  }

  // Step scores stay in sight, as the headers do.
  drawFoot({x, first, last, wide, high, bottom}) {
    const {map: {steps}, width, side, foot} = this;
    if (!foot) return;
    const {pen} = this;
    pen.fillStyle = this.paper;
    pen.fillRect(0, bottom, wide, high - bottom);
    this.shade(0.2, 0, bottom, wide, 1);
    steps.forEach(([name, values], k) => {
      const middle = bottom + 24 * k + 13, text = shortOf(values);
      pen.textAlign = "right";
      pen.fillStyle = this.muted;
      pen.fillText(name, side - 6, middle);
      pen.fillStyle = this.ink;
      this.clip(side, bottom, wide - side, foot, () => {
        pen.textAlign = "center";
        for (let column = first[1]; column < last[1]; column++)
          pen.fillText(text(values[column] ?? NaN), x + (column + 0.5) * width, middle, width - 4);
      });
    });
  }

  drawCross({x, y, wide, bottom}) {
    const {width, height, side, head} = this, cell = this.hover || (this.focused() ? this.at : null);
    if (!cell) return;
    const left = x + cell[1] * width, top = y + cell[0] * height;
    this.clip(side, head, wide - side, bottom - head, pen => {
      this.shade(0.07, side, top, wide, height);
      this.shade(0.07, left, head, width, bottom);
      pen.strokeStyle = this.ink;
      pen.lineWidth = 2;
      pen.strokeRect(left - 1, top - 1, width + 1, height + 1);
    });
  }

  focused() { return document.activeElement == this.grid; }

  shade(opacity, ...box) {
    this.pen.globalAlpha = opacity;
    this.pen.fillStyle = this.ink;
    this.pen.fillRect(...box);
    this.pen.globalAlpha = 1;
  }
}

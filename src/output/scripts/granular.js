// The views `granular` and `layers`: two dimensions as a map, a slider for each of the others, and a small map of every place that the
// sliders can reach. "mean" takes the mean over a dimension in place of one of its members.
const SMALL = {width: 52, height: 40, gap: 4, side: 26, most: 1 << 22};

class Explorer {
  constructor(root, data) {
    Object.assign(this, {root, data, axes: [...data.axes]});
    this.strides = data.shape.map((_, i) => data.shape.slice(i + 1).reduce((a, b) => a * b, 1));
    this.at = data.shape.map(() => 0);
    this.mean = data.shape.map(() => false);
    this.given = data.limits[0] || data.limits[1] ? data.limits : null;
    this.controls = make("div", {class: "ci-tools"});
    this.overview = make("canvas", {class: "ci-overview", "aria-hidden": "true"});
    this.map = make("div", {class: "ci-map"});
    this.scale = make("input", {type: "checkbox"});
    root.append(this.controls, make("div", {class: "ci-maps"}, make("div", {class: "ci-overview-scroll"}, this.overview), this.map));
    this.heat = new Heat(this.map, data.title);
    this.scale.addEventListener("change", () => this.draw());
    this.overview.addEventListener("click", event => this.choose(event));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.build();
  }

  rest() { return this.data.shape.map((_, i) => i).filter(i => !this.axes.includes(i)); }
  isTokens(i) { return i < 2; }
  labels(i) { return i == 0 ? this.data.rows : i == 1 ? this.data.columns : Array(this.data.shape[i]).fill(""); }
  label(i) {
    const number = this.data.first[i] + this.at[i];
    return this.mean[i] ? "mean" : this.isTokens(i) ? `${number} ${this.labels(i)[this.at[i]]}` : number;
  }

  // The controls of the present axes.
  build() {
    const {names, shape} = this.data, select = (axis, title) => {
      const box = make("select", {}, ...names.map((name, i) => make("option", {value: i}, name)));
      box.value = this.axes[axis];
      box.addEventListener("change", () => {
        const other = 1 - axis, before = this.axes[axis];
        this.axes[axis] = +box.value;
        if (this.axes[other] == this.axes[axis]) this.axes[other] = before;
        this.build();
        this.controls.querySelectorAll("select")[axis].focus();
      });
      return make("label", {}, title + " ", box);
    };
    this.sliders = this.rest().map(i => this.slider(i));
    const choice = names.length > 2 ? [select(0, "Down"), select(1, "Across")] : [];
    this.controls.replaceChildren(...choice, ...this.sliders, ...(shape.length > 2 && !this.given ? [make("label", {}, this.scale, " one scale for all")] : []));
    this.heat.zoomed = false;
    this.draw();
  }

  slider(i) {
    const {names, shape} = this.data;
    const range = make("input", {type: "range", min: 0, max: shape[i] - 1}), mean = make("input", {type: "checkbox", "aria-label": `mean over ${names[i]}`}), output = make("output");
    range.value = this.at[i];
    mean.checked = this.mean[i];
    const tell = () => {
      range.disabled = this.mean[i];
      output.textContent = this.label(i);
      range.setAttribute("aria-valuetext", this.label(i));
    };
    range.dataset.dimension = i;
    range.addEventListener("input", () => { this.at[i] = +range.value; tell(); this.draw(); });
    mean.addEventListener("change", () => { this.mean[i] = mean.checked; tell(); this.draw(); });
    tell();
    return make("span", {class: "ci-slider"}, make("label", {}, names[i] + " ", range, output), make("label", {}, mean, " mean"));
  }

  // Scores of the axes at a place of the others, row by row; means over what is not NaN.
  plane(at, mean) {
    const {data: {scores, shape}, strides, axes} = this, [down, across] = axes, averaged = this.rest().filter(i => mean[i]);
    let start = 0;
    for (const i of this.rest()) if (!mean[i]) start += at[i] * strides[i];
    let places = [start];
    for (const i of averaged) places = places.flatMap(place => Array.from({length: shape[i]}, (_, k) => place + k * strides[i]));
    const plane = new Float32Array(shape[down] * shape[across]);
    for (let row = 0, to = 0; row < shape[down]; row++)
      for (let column = 0; column < shape[across]; column++, to++) {
        const from = row * strides[down] + column * strides[across];
        let sum = 0, count = 0;
        for (const place of places) {
          const score = scores[from + place];
          if (score == score) { sum += score; count++; }
        }
        plane[to] = count ? sum / count : NaN;
      }
    return plane;
  }

  draw() {
    const {data, axes} = this, [down, across] = axes, plane = this.plane(this.at, this.mean);
    const all = this.given || (this.scale.checked ? (this.all ||= limitsOf(data.scores)) : null);
    this.heat.show({scores: plane, rows: this.labels(down), columns: this.labels(across), firsts: [data.first[down], data.first[across]],
                    kinds: axes.map(i => this.isTokens(i) ? "" : data.members[i]), limits: all || limitsOf(plane),
                    steps: across == 1 ? data.steps : []});
    this.drawOverview(all);
  }

  // Rows of small maps: one dimension down, the other across; what is chosen has a frame.
  drawOverview(all) {
    const {data: {shape, first, members, size}, overview} = this, rest = this.rest(), [down, across] = rest.length == 2 ? rest : [-1, rest[0]];
    const high = rest.length == 2 ? shape[down] : 1, wide = rest.length ? shape[across] : 0;
    overview.hidden = !wide || high * wide < 2 || high * wide > 1024 || size > SMALL.most;
    if (overview.hidden) return;
    const {width, height, gap, side} = SMALL, ratio = devicePixelRatio || 1, style = getComputedStyle(this.heat.grid), pen = overview.getContext("2d");
    const box = [side + wide * (width + gap), 18 + high * (height + gap)];
    overview.width = box[0] * ratio;
    overview.height = box[1] * ratio;
    overview.style.width = box[0] + "px";
    overview.style.height = box[1] + "px";
    pen.scale(ratio, ratio);
    pen.font = "10px system-ui, sans-serif";
    pen.fillStyle = style.outlineColor;
    pen.textBaseline = "middle";
    this.places = {down, across, high, wide};
    for (let row = 0; row < high; row++) {
      pen.textAlign = "right";
      if (down >= 0) pen.fillText(first[down] + row, side - 5, 18 + row * (height + gap) + height / 2);
      for (let column = 0; column < wide; column++) this.drawSmall(pen, row, column, all, style);
    }
    pen.textAlign = "left";
    pen.fillStyle = style.outlineColor;
    pen.fillText(down >= 0 ? `${members[down]} ↓  ${members[across]} →` : this.isTokens(across) ? "generated →" : `${members[across]} →`, side, 7);
  }

  drawSmall(pen, row, column, all, style) {
    const {down, across} = this.places, {width, height, gap, side} = SMALL, {shape} = this.data;
    const at = [...this.at], mean = this.mean.map(() => false);
    if (down >= 0) at[down] = row;
    at[across] = column;
    const plane = this.plane(at, mean), limits = all || limitsOf(plane), high = shape[this.axes[0]], wide = shape[this.axes[1]];
    const image = new ImageData(wide, high);
    for (let i = 0, to = 0; i < plane.length; i++, to += 4) {
      const share = plane[i] == plane[i] ? shareOf(plane[i], limits) : 0;
      image.data.set(share > 0 ? RED : BLUE, to);
      image.data[to + 3] = Math.abs(share) * 255;
    }
    this.bitmap ||= document.createElement("canvas");
    this.bitmap.width = wide;
    this.bitmap.height = high;
    this.bitmap.getContext("2d").putImageData(image, 0, 0);
    const left = side + column * (width + gap), top = 18 + row * (height + gap);
    const chosen = (down < 0 || this.mean[down] || this.at[down] == row) && (this.mean[across] || this.at[across] == column);
    pen.imageSmoothingEnabled = wide > width || high > height;
    pen.drawImage(this.bitmap, left, top, width, height);
    pen.lineWidth = chosen ? 2 : 1;
    pen.strokeStyle = chosen ? style.color : style.borderTopColor;
    pen.strokeRect(left, top, width, height);
  }

  choose(event) {
    const box = this.overview.getBoundingClientRect(), {width, height, gap, side} = SMALL, {down, across, high, wide} = this.places;
    const row = Math.floor((event.clientY - box.top - 18) / (height + gap)), column = Math.floor((event.clientX - box.left - side) / (width + gap));
    if (row < 0 || row >= high || column < 0 || column >= wide) return;
    for (const [i, value] of [[down, row], [across, column]])
      if (i >= 0) { this.at[i] = value; this.mean[i] = false; }
    this.build();
  }
}

for (const [root, data] of newElements("granular")) if (data.size) new Explorer(root, data);

// The view `grid`: one heat map of tokens by generated tokens.
for (const [root, data] of newElements("grid"))
  new Heat(root, data.title).show({scores: data.scores, rows: data.rows, columns: data.columns, firsts: data.first, kinds: ["", ""],
                                   limits: data.limits, steps: data.steps});

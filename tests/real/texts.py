"""Texts on which tokenizers differ."""
TEXTS = ["", " ", "a", "  two  spaces", "tab\tand\nlines\n\n\n", "   ", "don't we'll I'M", "1234567890 12 3.14", "naïve Zürich ﬁ e\u0301 é", "日本語のテキスト。中文",
         "Привет, мир!", "العربية", "हिन्दी में", "🙂👩‍👩‍👧 flags 🇩🇪", "x = {'a': [1, 2]} # code;\n    return x", "<bos>text<eos>", "<start_of_turn>user\nHi<end_of_turn>",
         "<|im_start|>user\nHi<|im_end|>", "\u2581underline \u2581", "\u0000\u0001\u007f", "a\u200bb\u00a0c\ufeff", "CamelCaseWORDS_under_scores", "...!!!???", "\r\n\r\n",
         "ẞ İ ı ſ", "𝒳𝓎𝓏 \U0001d54f", "0x1F 1e-5 ½ ²", "                                        forty spaces", "<unused5> <unk> <pad>", "Ġ Ċ"]

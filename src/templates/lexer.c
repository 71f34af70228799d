/* Source to tokens. Outside tags all is text; blank space around tags goes as trim_blocks, lstrip_blocks and the signs
 * of the tags
 * ("{%-", "-%}", "{%+", "+%}") say: Jinja2's lexer.py. */
#include "base/text.h"
#include "templates/syntax.h"
#include <string.h>

typedef struct {
  ci_template *t;
  const char *source;
  size_t length, at;
  int line;
  ci_token *tokens;
  size_t count, capacity;
  ci_status status;
  ci_error *err;
  bool trim; /* the blank space that follows goes: after "-%}" */
} lexer;

static void fail(lexer *x, const char *message) {
  if (!x->status)
    x->status = ci_fail(x->err, CI_EINVAL, x->t->where, "line %d of the chat template: %s", x->line, message);
}

static void push(lexer *x, ci_token_kind kind, const char *bytes, size_t length) {
  if (x->status) return;
  char *copy = ci_arena_alloc(x->t->arena, length + 1, 1);
  if (!copy || ci_reserve((void **)&x->tokens, &x->capacity, x->count + 1, sizeof *x->tokens)) {
    x->status = ci_fail_memory(x->err);
    return;
  }
  if (length) memcpy(copy, bytes, length);
  x->tokens[x->count++] = (ci_token){kind, x->line, copy, length};
}

static char peek(const lexer *x, size_t ahead) {
  return x->at + ahead < x->length ? x->source[x->at + ahead] : 0;
}
static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}
static bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static void advance(lexer *x, size_t n) {
  for (size_t i = 0; i < n && x->at < x->length; i++)
    if (x->source[x->at++] == '\n') x->line++;
}

/* Text up to the tag at `end`, trimmed on the right as the tag wants. */
static void text_before(lexer *x, size_t end, bool is_block, char sign) {
  size_t first = x->at, last = end;
  if (sign == '-') {
    while (last > first && is_blank(x->source[last - 1])) last--;
  } else if (is_block && sign != '+') {
    size_t i = last;
    while (i > first && (x->source[i - 1] == ' ' || x->source[i - 1] == '\t')) i--;
    bool line_start = i > 0 ? x->source[i - 1] == '\n' : true; /* the tag is the first thing on its line */
    if (line_start) last = i;
  }
  size_t from = first;
  if (x->trim)
    while (from < last && is_blank(x->source[from])) from++;
  if (last > from) push(x, T_TEXT, x->source + from, last - from);
  x->trim = false;
  advance(x, end - first);
}

/* After a tag's end: "-" takes all blank space, a block or comment the line's end. */
static void after_tag(lexer *x, bool is_block, char sign) {
  if (sign == '-')
    x->trim = true;
  else if (is_block && sign != '+' && peek(x, 0) == '\n')
    advance(x, 1);
}

static void comment(lexer *x) {
  size_t at = x->at + 2;
  while (at + 1 < x->length && !(x->source[at] == '#' && x->source[at + 1] == '}')) at++;
  if (at + 1 >= x->length) {
    fail(x, "a comment without an end");
    return;
  }
  char sign = at > x->at + 2 ? x->source[at - 1] : 0;
  advance(x, at + 2 - x->at);
  after_tag(x, true, sign);
}

static void escape(lexer *x, ci_text *value) {
  static const char letters[] = "abfnrtv\\'\"", meanings[] = "\a\b\f\n\r\t\v\\'\"";
  char c = peek(x, 1);
  const char *known = c ? strchr(letters, c) : NULL;
  if (known) {
    ci_text_add_n(value, &meanings[known - letters], 1);
    advance(x, 2);
    return;
  }
  size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  uint32_t code = 0;
  for (size_t i = 0; i < digits; i++) {
    char d = peek(x, 2 + i);
    const char *hex = "0123456789abcdef", *place = d ? strchr(hex, d >= 'A' && d <= 'F' ? d + 32 : d) : NULL;
    if (!place) {
      fail(x, "an escape of a string that is not hexadecimal");
      return;
    }
    code = code << 4 | (uint32_t)(place - hex);
  }
  if (digits)
    ci_text_add_codepoint(value, code);
  else
    ci_text_add_n(value, "\\", 1);
  advance(x, digits ? digits + 2 : 1);
}

static void string(lexer *x) {
  char quote = peek(x, 0);
  ci_text value = {0};
  advance(x, 1);
  while (x->at < x->length && peek(x, 0) != quote && !x->status) {
    if (peek(x, 0) == '\\')
      escape(x, &value);
    else {
      ci_text_add_n(&value, x->source + x->at, 1);
      advance(x, 1);
    }
  }
  if (x->at >= x->length) fail(x, "a string without an end");
  if (value.failed) x->status = ci_fail_memory(x->err);
  push(x, T_STRING, value.data, value.length);
  advance(x, 1);
  ci_text_free(&value);
}

static void number(lexer *x) {
  size_t n = 0;
  bool real = false;
  while (is_digit(peek(x, n)) || peek(x, n) == '_') n++;
  if (peek(x, n) == '.' && is_digit(peek(x, n + 1))) {
    real = true;
    for (n++; is_digit(peek(x, n));) n++;
  }
  size_t e = n + 1 + (peek(x, n + 1) == '-' || peek(x, n + 1) == '+');
  if ((peek(x, n) == 'e' || peek(x, n) == 'E') && is_digit(peek(x, e))) {
    real = true;
    for (n = e; is_digit(peek(x, n));) n++;
  }
  push(x, real ? T_FLOAT : T_INT, x->source + x->at, n);
  advance(x, n);
}

static void operator(lexer *x) {
  static const char *const operators[] = {"==", "!=", "<=", ">=", "//", "**", "<", ">", "+", "-", "*", "/", "%",
                                          "~",  "|",  ".",  ",",  ":",  "(",  ")", "[", "]", "{", "}", "="};
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
    size_t n = strlen(operators[i]);
    if (x->length - x->at < n || strncmp(x->source + x->at, operators[i], n) != 0) continue;
    push(x, T_OP, operators[i], n);
    advance(x, n);
    return;
  }
  fail(x, "a character that does not belong into an expression");
}

/* What stands inside a tag, up to its end. Brackets count: "}}" may end a dictionary. */
static void tag(lexer *x, bool is_block) {
  const char *end = is_block ? "%}" : "}}";
  int depth = 0;
  for (;;) {
    while (is_blank(peek(x, 0))) advance(x, 1);
    if (x->status) return;
    if (x->at >= x->length) {
      fail(x, is_block ? "a tag {% without its %}" : "a tag {{ without its }}");
      return;
    }
    char sign = peek(x, 0) == '-' || peek(x, 0) == '+' ? peek(x, 0) : 0;
    size_t skip = sign ? 1 : 0;
    if (!depth && x->length - x->at >= skip + 2 && strncmp(x->source + x->at + skip, end, 2) == 0) {
      push(x, is_block ? T_BLOCK_END : T_PRINT_END, "", 0);
      advance(x, skip + 2);
      after_tag(x, is_block, sign);
      return;
    }
    char c = peek(x, 0);
    if (c == '"' || c == '\'')
      string(x);
    else if (is_digit(c))
      number(x);
    else if (is_name_start(c)) {
      size_t n = 1;
      while (is_name_start(peek(x, n)) || is_digit(peek(x, n))) n++;
      push(x, T_NAME, x->source + x->at, n);
      advance(x, n);
    } else {
      depth += (c == '(' || c == '[' || c == '{') - (c == ')' || c == ']' || c == '}');
      operator(x);
    }
  }
}

static void template_source(lexer *x) {
  while (x->at < x->length && !x->status) {
    size_t at = x->at;
    while (at + 1 < x->length && !(x->source[at] == '{' && strchr("{%#", x->source[at + 1]) && x->source[at + 1])) at++;
    if (at + 1 >= x->length) {
      text_before(x, x->length, false, 0);
      return;
    }
    char kind = x->source[at + 1], sign = at + 2 < x->length ? x->source[at + 2] : 0;
    if (sign != '-' && sign != '+') sign = 0;
    text_before(x, at, kind != '{', sign);
    if (kind == '#') {
      comment(x);
      continue;
    }
    push(x, kind == '%' ? T_BLOCK : T_PRINT, "", 0);
    advance(x, sign ? 3 : 2);
    tag(x, kind == '%');
  }
}

ci_status ci_template_tokens(ci_template *t, const char *source, size_t length, ci_token **tokens, ci_error *err) {
  if (length && source[length - 1] == '\n') length--; /* keep_trailing_newline is off */
  lexer x = {.t = t, .source = source, .length = length, .line = 1, .err = err};
  template_source(&x);
  push(&x, T_END, "", 0);
  *tokens = x.tokens;
  return x.status;
}

/* The pickle machine (Python's Lib/pickletools.py documents the opcodes): a stack of values, a memo of values by
 * number, marks on the stack. Only what torch.save writes with its protocol 2 is here.
 *
 * Values and the cells that chain members of containers are numbered and lie in two growing arrays, so nothing is
 * freed one by one and nothing recurses: a pickle may nest or point at itself as it likes and costs what it is long.
 * Longer than most files: an opcode is a function of three lines, and they only make sense together. */
#include "formats/pickle.h"
#include "base/memory.h"
#include <string.h>

enum {
  LARGEST_PICKLE = 64 << 20, /* bytes; a model of 1000 tensors has 200 KB */
  MOST_VALUES = 1 << 20,
  MOST_STACKED = 1 << 20,
  MOST_MEMOS = 4 << 20,
  MOST_MARKS = 1000,
  DEEPEST = 100,
  LONGEST_TEXT = 1 << 20,
  LONGEST_NAME = 200, /* of a module, of a function */
};

typedef struct {
  uint32_t key, member, next;
} cell;

struct ci_pickle {
  ci_pickle_value *values; /* [0] is None, which keys of tuples and lists are */
  size_t values_count, values_capacity;
  cell *cells; /* [0] is none: the end of every chain */
  size_t cells_count, cells_capacity;
  uint32_t root;
};

typedef struct {
  const char *file;
  const uint8_t *bytes;
  size_t length, at, start; /* start: of the opcode that runs */
  const ci_pickle_global *allowed;
  size_t allowed_count;
  ci_pickle *out;
  uint32_t *stack;
  size_t stacked, stack_capacity;
  uint32_t *memo; /* value + 1; 0: nothing */
  size_t memo_count, memo_capacity;
  size_t *marks; /* heights of the stack */
  size_t marks_count, marks_capacity;
  bool stopped;
} machine;

typedef struct {
  const char *name; /* as pickletools has it */
  ci_status (*run)(machine *m, ci_error *err);
} opcode;

static const opcode opcodes[256];

static ci_status bad(const machine *m, ci_error *err, const char *problem) {
  return ci_fail(err, CI_EFILE, m->file, "pickle: %s (opcode %s at byte %zu)", problem,
                 opcodes[m->bytes[m->start]].name, m->start);
}

static ci_status take(machine *m, size_t count, const uint8_t **bytes, ci_error *err) {
  if (count > m->length - m->at) return bad(m, err, "ends in the middle");
  *bytes = m->bytes + m->at;
  m->at += count;
  return CI_OK;
}

static ci_status take_number(machine *m, int width, uint32_t *value, ci_error *err) {
  const uint8_t *bytes = NULL;
  ci_status status = take(m, (size_t)width, &bytes, err);
  *value = 0;
  for (int i = 0; i < width && !status; i++) *value |= (uint32_t)bytes[i] << (8 * i);
  return status;
}

/* ---- stack ---- */

static ci_status push(machine *m, uint32_t value, ci_error *err) {
  if (m->stacked == MOST_STACKED) return bad(m, err, "stacks too many values");
  if (ci_reserve((void **)&m->stack, &m->stack_capacity, m->stacked + 1, sizeof *m->stack)) return ci_fail_memory(err);
  m->stack[m->stacked++] = value;
  return CI_OK;
}

static ci_status push_new(machine *m, ci_pickle_value value, ci_error *err) {
  ci_pickle *out = m->out;
  if (out->values_count == MOST_VALUES) return bad(m, err, "makes too many values");
  if (value.depth > DEEPEST) return bad(m, err, "nests too deep");
  if (ci_reserve((void **)&out->values, &out->values_capacity, out->values_count + 1, sizeof *out->values))
    return ci_fail_memory(err);
  out->values[out->values_count] = value;
  return push(m, (uint32_t)out->values_count++, err);
}

/* Checks that `count` values lie above the last mark. */
static ci_status need(const machine *m, size_t count, ci_error *err) {
  size_t floor = m->marks_count ? m->marks[m->marks_count - 1] : 0;
  return m->stacked - floor < count ? bad(m, err, "finds too few values on the stack") : CI_OK;
}

static ci_pickle_value *value_at(const machine *m, uint32_t value) {
  return &m->out->values[value];
}

static ci_pickle_value *top(const machine *m) {
  return value_at(m, m->stack[m->stacked - 1]);
}

static ci_status take_mark(machine *m, size_t *height, ci_error *err) {
  if (!m->marks_count) return bad(m, err, "finds no mark on the stack");
  *height = m->marks[--m->marks_count];
  return CI_OK;
}

static ci_status append(machine *m, uint32_t container, uint32_t key, uint32_t member, ci_error *err) {
  ci_pickle *out = m->out;
  if (out->cells_count == MOST_VALUES) return bad(m, err, "puts too many values into containers");
  if (ci_reserve((void **)&out->cells, &out->cells_capacity, out->cells_count + 1, sizeof *out->cells))
    return ci_fail_memory(err);
  uint32_t added = (uint32_t)out->cells_count++;
  out->cells[added] = (cell){key, member, 0};
  ci_pickle_value *c = value_at(m, container);
  uint32_t deep = value_at(m, key)->depth > value_at(m, member)->depth ? key : member;
  if (value_at(m, deep)->depth >= c->depth) c->depth = value_at(m, deep)->depth + 1;
  if (c->depth > DEEPEST) return bad(m, err, "nests too deep");
  if (c->count++)
    out->cells[c->last].next = added;
  else
    c->first = added;
  c->last = added;
  return CI_OK;
}

/* ---- opcodes: values ---- */

static ci_status run_proto(machine *m, ci_error *err) {
  uint32_t protocol;
  ci_status status = take_number(m, 1, &protocol, err);
  if (!status && protocol != 2)
    return ci_fail(err, CI_EFILE, m->file, "pickle: protocol %u at byte %zu, expected 2 as torch.save writes it",
                   protocol, m->start);
  return status;
}

static ci_status run_none(machine *m, ci_error *err) {
  return push(m, 0, err);
}

static ci_status push_bool(machine *m, bool value, ci_error *err) {
  return push_new(m, (ci_pickle_value){.kind = CI_PICKLE_BOOL, .integer = value}, err);
}

static ci_status run_true(machine *m, ci_error *err) {
  return push_bool(m, true, err);
}

static ci_status run_false(machine *m, ci_error *err) {
  return push_bool(m, false, err);
}

static ci_status push_int(machine *m, int64_t value, ci_error *err) {
  return push_new(m, (ci_pickle_value){.kind = CI_PICKLE_INT, .integer = value}, err);
}

static ci_status run_binint(machine *m, ci_error *err) {
  uint32_t value;
  ci_status status = take_number(m, 4, &value, err);
  return status ? status : push_int(m, (int32_t)value, err);
}

static ci_status run_binint1(machine *m, ci_error *err) {
  uint32_t value;
  ci_status status = take_number(m, 1, &value, err);
  return status ? status : push_int(m, value, err);
}

static ci_status run_binint2(machine *m, ci_error *err) {
  uint32_t value;
  ci_status status = take_number(m, 2, &value, err);
  return status ? status : push_int(m, value, err);
}

/* Little endian two's complement of as many bytes as are needed. */
static ci_status run_long1(machine *m, ci_error *err) {
  uint32_t count;
  const uint8_t *bytes = NULL;
  ci_status status = take_number(m, 1, &count, err);
  if (!status) status = take(m, count, &bytes, err);
  if (status) return status;
  if (count > 8) return bad(m, err, "has a number of more than 64 bits");
  uint64_t value = count && bytes[count - 1] & 0x80 ? UINT64_MAX : 0;
  for (uint32_t i = 0; i < count; i++) {
    value &= ~((uint64_t)0xff << (8 * i));
    value |= (uint64_t)bytes[i] << (8 * i);
  }
  return push_int(m, (int64_t)value, err);
}

static ci_status run_binfloat(machine *m, ci_error *err) {
  const uint8_t *bytes = NULL;
  ci_status status = take(m, 8, &bytes, err);
  return status ? status : push_new(m, (ci_pickle_value){.kind = CI_PICKLE_FLOAT}, err);
}

static ci_status push_text(machine *m, int width, ci_error *err) {
  uint32_t length;
  const uint8_t *bytes = NULL;
  ci_status status = take_number(m, width, &length, err);
  if (status) return status;
  if (length > LONGEST_TEXT) return bad(m, err, "has a text of more than a million bytes");
  status = take(m, length, &bytes, err);
  if (status) return status;
  return push_new(m, (ci_pickle_value){.kind = CI_PICKLE_TEXT, .text = (const char *)bytes, .length = length}, err);
}

static ci_status run_text(machine *m, ci_error *err) {
  return push_text(m, 4, err);
}

static ci_status run_short_text(machine *m, ci_error *err) {
  return push_text(m, 1, err);
}

static ci_status take_line(machine *m, const char **line, int *length, ci_error *err) {
  size_t room = m->length - m->at;
  if (room > LONGEST_NAME) room = LONGEST_NAME;
  const uint8_t *bytes = m->bytes + m->at, *end = room ? memchr(bytes, '\n', room) : NULL;
  if (!end) return bad(m, err, "has a name without an end");
  *line = (const char *)bytes;
  *length = (int)(end - bytes);
  m->at += (size_t)*length + 1;
  return CI_OK;
}

static bool is_name(const char *name, const char *line, int length) {
  return strlen(name) == (size_t)length && memcmp(name, line, (size_t)length) == 0;
}

static ci_status run_global(machine *m, ci_error *err) {
  const char *module, *name;
  int module_length, name_length;
  ci_status status = take_line(m, &module, &module_length, err);
  if (!status) status = take_line(m, &name, &name_length, err);
  if (status) return status;
  for (size_t i = 0; i < m->allowed_count; i++) {
    const ci_pickle_global *g = &m->allowed[i];
    if (is_name(g->module, module, module_length) && is_name(g->name, name, name_length))
      return push_new(m, (ci_pickle_value){.kind = CI_PICKLE_GLOBAL, .global = g}, err);
  }
  return ci_fail(err, CI_EFILE, m->file,
                 "pickle: uses %.*s.%.*s at byte %zu; only what builds plain tensors is allowed (nothing was run). "
                 "Files that are to be trusted can be converted to safetensors",
                 module_length, module, name_length, name, m->start);
}

/* ---- opcodes: containers ---- */

static ci_status run_mark(machine *m, ci_error *err) {
  if (m->marks_count == MOST_MARKS) return bad(m, err, "nests too deep");
  if (ci_reserve((void **)&m->marks, &m->marks_capacity, m->marks_count + 1, sizeof *m->marks))
    return ci_fail_memory(err);
  m->marks[m->marks_count++] = m->stacked;
  return CI_OK;
}

static ci_status push_container(machine *m, ci_pickle_kind kind, ci_error *err) {
  return push_new(m, (ci_pickle_value){.kind = kind, .depth = 1}, err);
}

static ci_status run_empty_dict(machine *m, ci_error *err) {
  return push_container(m, CI_PICKLE_DICT, err);
}

static ci_status run_empty_list(machine *m, ci_error *err) {
  return push_container(m, CI_PICKLE_LIST, err);
}

static ci_status run_empty_tuple(machine *m, ci_error *err) {
  return push_container(m, CI_PICKLE_TUPLE, err);
}

/* The values from `height` on become a tuple in their place. */
static ci_status make_tuple(machine *m, size_t height, ci_error *err) {
  size_t end = m->stacked;
  ci_status status = push_container(m, CI_PICKLE_TUPLE, err);
  if (status) return status;
  uint32_t tuple = m->stack[end];
  for (size_t i = height; i < end && !status; i++) status = append(m, tuple, 0, m->stack[i], err);
  m->stack[height] = tuple;
  m->stacked = height + 1;
  return status;
}

static ci_status run_tuple(machine *m, ci_error *err) {
  size_t height = 0;
  ci_status status = take_mark(m, &height, err);
  return status ? status : make_tuple(m, height, err);
}

static ci_status make_short_tuple(machine *m, size_t count, ci_error *err) {
  ci_status status = need(m, count, err);
  return status ? status : make_tuple(m, m->stacked - count, err);
}

static ci_status run_tuple1(machine *m, ci_error *err) {
  return make_short_tuple(m, 1, err);
}

static ci_status run_tuple2(machine *m, ci_error *err) {
  return make_short_tuple(m, 2, err);
}

static ci_status run_tuple3(machine *m, ci_error *err) {
  return make_short_tuple(m, 3, err);
}

/* Puts the values from `height` on into the list or dict below them. */
static ci_status fill(machine *m, size_t height, ci_pickle_kind kind, ci_error *err) {
  size_t floor = m->marks_count ? m->marks[m->marks_count - 1] : 0;
  if (height <= floor) return bad(m, err, "finds too few values on the stack");
  uint32_t container = m->stack[height - 1];
  size_t count = m->stacked - height, step = kind == CI_PICKLE_DICT ? 2 : 1;
  if (value_at(m, container)->kind != kind) return bad(m, err, "puts members into what is no container of its kind");
  if (count % step) return bad(m, err, "has a key without a value");
  ci_status status = CI_OK;
  for (size_t i = height; i < m->stacked && !status; i += step)
    status = append(m, container, step == 2 ? m->stack[i] : 0, m->stack[i + step - 1], err);
  m->stacked = height;
  return status;
}

static ci_status fill_from_mark(machine *m, ci_pickle_kind kind, ci_error *err) {
  size_t height = 0;
  ci_status status = take_mark(m, &height, err);
  return status ? status : fill(m, height, kind, err);
}

static ci_status run_appends(machine *m, ci_error *err) {
  return fill_from_mark(m, CI_PICKLE_LIST, err);
}

static ci_status run_setitems(machine *m, ci_error *err) {
  return fill_from_mark(m, CI_PICKLE_DICT, err);
}

static ci_status run_append(machine *m, ci_error *err) {
  ci_status status = need(m, 2, err);
  return status ? status : fill(m, m->stacked - 1, CI_PICKLE_LIST, err);
}

static ci_status run_setitem(machine *m, ci_error *err) {
  ci_status status = need(m, 3, err);
  return status ? status : fill(m, m->stacked - 2, CI_PICKLE_DICT, err);
}

/* ---- opcodes: objects ---- */

static ci_status run_reduce(machine *m, ci_error *err) {
  ci_status status = need(m, 2, err);
  if (status) return status;
  uint32_t operand = m->stack[m->stacked - 1];
  const ci_pickle_value *arguments = top(m), *called = value_at(m, m->stack[m->stacked - 2]);
  if (called->kind != CI_PICKLE_GLOBAL || arguments->kind != CI_PICKLE_TUPLE)
    return bad(m, err, "calls what is no function");
  const ci_pickle_global *g = called->global;
  if (g->role == CI_PICKLE_NAME || (g->role == CI_PICKLE_DICTIONARY && arguments->count))
    return ci_fail(err, CI_EFILE, m->file, "pickle: calls %s.%s with %u arguments at byte %zu, expected no such call",
                   g->module, g->name, arguments->count, m->start);
  uint32_t depth = arguments->depth;
  m->stacked -= 2;
  if (g->role == CI_PICKLE_DICTIONARY) return push_container(m, CI_PICKLE_DICT, err);
  return push_new(m, (ci_pickle_value){.kind = CI_PICKLE_CALL, .depth = depth + 1, .global = g, .operand = operand},
                  err);
}

/* Attributes of an ordered dictionary (a module's _metadata) are of no use here. */
static ci_status run_build(machine *m, ci_error *err) {
  ci_status status = need(m, 2, err);
  if (status) return status;
  m->stacked--;
  return top(m)->kind == CI_PICKLE_DICT ? CI_OK : bad(m, err, "sets attributes of what is no dictionary");
}

static ci_status run_binpersid(machine *m, ci_error *err) {
  ci_status status = need(m, 1, err);
  if (status) return status;
  uint32_t operand = m->stack[--m->stacked];
  uint32_t depth = value_at(m, operand)->depth;
  return push_new(m, (ci_pickle_value){.kind = CI_PICKLE_PERSISTENT, .depth = depth + 1, .operand = operand}, err);
}

/* ---- opcodes: memo and stack ---- */

static ci_status put(machine *m, int width, ci_error *err) {
  uint32_t number;
  ci_status status = take_number(m, width, &number, err);
  if (!status) status = need(m, 1, err);
  if (status) return status;
  if (number >= MOST_MEMOS) return bad(m, err, "remembers too many values");
  if (ci_reserve((void **)&m->memo, &m->memo_capacity, (size_t)number + 1, sizeof *m->memo)) return ci_fail_memory(err);
  while (m->memo_count <= number) m->memo[m->memo_count++] = 0;
  m->memo[number] = m->stack[m->stacked - 1] + 1;
  return CI_OK;
}

static ci_status get(machine *m, int width, ci_error *err) {
  uint32_t number;
  ci_status status = take_number(m, width, &number, err);
  if (status) return status;
  if (number >= m->memo_count || !m->memo[number]) return bad(m, err, "asks for a value that it did not remember");
  return push(m, m->memo[number] - 1, err);
}

static ci_status run_binput(machine *m, ci_error *err) {
  return put(m, 1, err);
}

static ci_status run_long_binput(machine *m, ci_error *err) {
  return put(m, 4, err);
}

static ci_status run_binget(machine *m, ci_error *err) {
  return get(m, 1, err);
}

static ci_status run_long_binget(machine *m, ci_error *err) {
  return get(m, 4, err);
}

static ci_status run_pop(machine *m, ci_error *err) {
  ci_status status = need(m, 1, err);
  if (!status) m->stacked--;
  return status;
}

static ci_status run_pop_mark(machine *m, ci_error *err) {
  return take_mark(m, &m->stacked, err);
}

static ci_status run_stop(machine *m, ci_error *err) {
  if (m->stacked != 1 || m->marks_count) return bad(m, err, "does not end with one value");
  m->stopped = true;
  return CI_OK;
}

/* Those without a function are refused by their name; so are bytes that are no opcode. */
static const opcode opcodes[256] = {
    ['('] = {"MARK", run_mark},
    ['.'] = {"STOP", run_stop},
    ['0'] = {"POP", run_pop},
    ['1'] = {"POP_MARK", run_pop_mark},
    ['2'] = {"DUP", NULL},
    ['F'] = {"FLOAT", NULL},
    ['I'] = {"INT", NULL},
    ['J'] = {"BININT", run_binint},
    ['K'] = {"BININT1", run_binint1},
    ['L'] = {"LONG", NULL},
    ['M'] = {"BININT2", run_binint2},
    ['N'] = {"NONE", run_none},
    ['P'] = {"PERSID", NULL},
    ['Q'] = {"BINPERSID", run_binpersid},
    ['R'] = {"REDUCE", run_reduce},
    ['S'] = {"STRING", NULL},
    ['T'] = {"BINSTRING", run_text},
    ['U'] = {"SHORT_BINSTRING", run_short_text},
    ['V'] = {"UNICODE", NULL},
    ['X'] = {"BINUNICODE", run_text},
    ['a'] = {"APPEND", run_append},
    ['b'] = {"BUILD", run_build},
    ['c'] = {"GLOBAL", run_global},
    ['d'] = {"DICT", NULL},
    ['}'] = {"EMPTY_DICT", run_empty_dict},
    ['e'] = {"APPENDS", run_appends},
    ['g'] = {"GET", NULL},
    ['h'] = {"BINGET", run_binget},
    ['i'] = {"INST", NULL},
    ['j'] = {"LONG_BINGET", run_long_binget},
    ['l'] = {"LIST", NULL},
    [']'] = {"EMPTY_LIST", run_empty_list},
    ['o'] = {"OBJ", NULL},
    ['p'] = {"PUT", NULL},
    ['q'] = {"BINPUT", run_binput},
    ['r'] = {"LONG_BINPUT", run_long_binput},
    ['s'] = {"SETITEM", run_setitem},
    ['t'] = {"TUPLE", run_tuple},
    [')'] = {"EMPTY_TUPLE", run_empty_tuple},
    ['u'] = {"SETITEMS", run_setitems},
    ['G'] = {"BINFLOAT", run_binfloat},
    ['B'] = {"BINBYTES", NULL},
    ['C'] = {"SHORT_BINBYTES", NULL},
    [0x80] = {"PROTO", run_proto},
    [0x81] = {"NEWOBJ", NULL},
    [0x82] = {"EXT1", NULL},
    [0x83] = {"EXT2", NULL},
    [0x84] = {"EXT4", NULL},
    [0x85] = {"TUPLE1", run_tuple1},
    [0x86] = {"TUPLE2", run_tuple2},
    [0x87] = {"TUPLE3", run_tuple3},
    [0x88] = {"NEWTRUE", run_true},
    [0x89] = {"NEWFALSE", run_false},
    [0x8a] = {"LONG1", run_long1},
    [0x8b] = {"LONG4", NULL},
    [0x8c] = {"SHORT_BINUNICODE", NULL},
    [0x8d] = {"BINUNICODE8", NULL},
    [0x8e] = {"BINBYTES8", NULL},
    [0x8f] = {"EMPTY_SET", NULL},
    [0x90] = {"ADDITEMS", NULL},
    [0x91] = {"FROZENSET", NULL},
    [0x92] = {"NEWOBJ_EX", NULL},
    [0x93] = {"STACK_GLOBAL", NULL},
    [0x94] = {"MEMOIZE", NULL},
    [0x95] = {"FRAME", NULL},
    [0x96] = {"BYTEARRAY8", NULL},
    [0x97] = {"NEXT_BUFFER", NULL},
    [0x98] = {"READONLY_BUFFER", NULL},
};

static ci_status run(machine *m, ci_error *err) {
  while (!m->stopped) {
    if (m->at == m->length)
      return ci_fail(err, CI_EFILE, m->file, "pickle: has no end in %zu bytes: truncated?", m->length);
    m->start = m->at++;
    const opcode *o = &opcodes[m->bytes[m->start]];
    if (!o->run)
      return ci_fail(err, CI_EFILE, m->file, "pickle: opcode %s (0x%02x) at byte %zu, which torch.save does not write",
                     o->name ? o->name : "of no known name", m->bytes[m->start], m->start);
    ci_status status = o->run(m, err);
    if (status) return status;
  }
  m->out->root = m->stack[0];
  return CI_OK;
}

/* The two members with number 0. */
static ci_pickle *create(void) {
  ci_pickle *p = ci_alloc_zeroed(1, sizeof *p);
  if (!p) return NULL;
  if (ci_reserve((void **)&p->values, &p->values_capacity, 1, sizeof *p->values) ||
      ci_reserve((void **)&p->cells, &p->cells_capacity, 1, sizeof *p->cells)) {
    ci_pickle_close(p);
    return NULL;
  }
  p->values[p->values_count++] = (ci_pickle_value){.kind = CI_PICKLE_NONE};
  p->cells[p->cells_count++] = (cell){0};
  return p;
}

ci_status ci_pickle_open(const char *file, const uint8_t *bytes, size_t length, const ci_pickle_global *allowed,
                         size_t count, ci_pickle **pickle, size_t *used, ci_error *err) {
  *pickle = create();
  if (!*pickle) return ci_fail_memory(err);
  machine m = {.file = file,
               .bytes = bytes,
               .length = length < LARGEST_PICKLE ? length : LARGEST_PICKLE,
               .allowed = allowed,
               .allowed_count = count,
               .out = *pickle};
  ci_status status = run(&m, err);
  *used = m.at;
  ci_free(m.stack);
  ci_free(m.memo);
  ci_free(m.marks);
  if (status) {
    ci_pickle_close(*pickle);
    *pickle = NULL;
  }
  return status;
}

void ci_pickle_close(ci_pickle *pickle) {
  if (!pickle) return;
  ci_free(pickle->values);
  ci_free(pickle->cells);
  ci_free(pickle);
}

const ci_pickle_value *ci_pickle_root(const ci_pickle *pickle) {
  return &pickle->values[pickle->root];
}

const ci_pickle_value *ci_pickle_at(const ci_pickle *pickle, size_t index) {
  return index < pickle->values_count ? &pickle->values[index] : NULL;
}

const ci_pickle_value *ci_pickle_operand(const ci_pickle *pickle, const ci_pickle_value *value) {
  return &pickle->values[value->operand];
}

bool ci_pickle_next(const ci_pickle *pickle, const ci_pickle_value *container, uint32_t *cursor,
                    const ci_pickle_value **key, const ci_pickle_value **member) {
  *cursor = *cursor ? pickle->cells[*cursor].next : container->first;
  if (!*cursor) return false;
  const cell *c = &pickle->cells[*cursor];
  if (key) *key = &pickle->values[c->key];
  *member = &pickle->values[c->member];
  return true;
}

size_t ci_pickle_members(const ci_pickle *pickle, const ci_pickle_value *container, size_t limit,
                         const ci_pickle_value **members) {
  size_t filled = 0;
  uint32_t cursor = 0;
  while (filled < limit && ci_pickle_next(pickle, container, &cursor, NULL, &members[filled])) filled++;
  return filled;
}

bool ci_pickle_is_text(const ci_pickle_value *value, const char *text) {
  return value->kind == CI_PICKLE_TEXT && value->length == strlen(text) &&
         memcmp(value->text, text, value->length) == 0;
}

const char *ci_pickle_kind_name(ci_pickle_kind kind) {
  static const char *const names[] = {
      [CI_PICKLE_NONE] = "nothing",   [CI_PICKLE_BOOL] = "a truth value",  [CI_PICKLE_INT] = "a whole number",
      [CI_PICKLE_FLOAT] = "a number", [CI_PICKLE_TEXT] = "a text",         [CI_PICKLE_TUPLE] = "a tuple",
      [CI_PICKLE_LIST] = "a list",    [CI_PICKLE_DICT] = "a dictionary",   [CI_PICKLE_GLOBAL] = "a name",
      [CI_PICKLE_CALL] = "a tensor",  [CI_PICKLE_PERSISTENT] = "a storage"};
  return names[kind];
}

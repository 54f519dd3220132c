/* The chain over many records of which each says what another said: chain.py in C.
 *
 * Law: the same answers as chain.py, which says what each argument is; nothing else is here. BLAKE2b is RFC 7693's, of
 * 32 octets and without a key.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { HASH = 32, TEXT_MAX = 1024, NUMBER_MAX = 20, ROW = 10, SHARED_AT = 5, BLOCK = 128, AHEAD = 32 };
enum { TEXT_ROOM = HASH + TEXT_MAX + 4 * (NUMBER_MAX + 1) + BLOCK };

/* The places of adapters.sqlite.Model. */
enum { EVENT, FRAME, SOURCE, LEAD, PLAIN, MODEL };

/* --- BLAKE2b (RFC 7693 §3) --- */

static const uint64_t IV[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

static const uint8_t SIGMA[12][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};

#define TURN(word, by) ((word) >> (by) | (word) << (64 - (by)))
#define MIX(a, b, c, d, x, y)                                                                                          \
    do {                                                                                                               \
        a += b + (x), d = TURN(d ^ a, 32), c += d, b = TURN(b ^ c, 24);                                                \
        a += b + (y), d = TURN(d ^ a, 16), c += d, b = TURN(b ^ c, 63);                                                \
    } while (0)

static inline uint64_t
word(const uint8_t *octets)
{
    uint64_t found = 0;
    for (int octet = 0; octet < 8; octet++)
        found |= (uint64_t)octets[octet] << 8 * octet;
    return found;
}

static void
compress(uint64_t state[8], const uint8_t *block, uint64_t count, int last)
{
    uint64_t m[16];
    for (int i = 0; i < 16; i++)
        m[i] = word(block + 8 * i);
    /* By name, so that they need not be in memory. */
    uint64_t v0 = state[0], v1 = state[1], v2 = state[2], v3 = state[3];
    uint64_t v4 = state[4], v5 = state[5], v6 = state[6], v7 = state[7];
    uint64_t v8 = IV[0], v9 = IV[1], va = IV[2], vb = IV[3];
    uint64_t vc = IV[4] ^ count, vd = IV[5], ve = last ? ~IV[6] : IV[6], vf = IV[7];
#pragma GCC unroll 12
    for (int round = 0; round < 12; round++) {
        const uint8_t *s = SIGMA[round];
        MIX(v0, v4, v8, vc, m[s[0]], m[s[1]]);
        MIX(v1, v5, v9, vd, m[s[2]], m[s[3]]);
        MIX(v2, v6, va, ve, m[s[4]], m[s[5]]);
        MIX(v3, v7, vb, vf, m[s[6]], m[s[7]]);
        MIX(v0, v5, va, vf, m[s[8]], m[s[9]]);
        MIX(v1, v6, vb, vc, m[s[10]], m[s[11]]);
        MIX(v2, v7, v8, vd, m[s[12]], m[s[13]]);
        MIX(v3, v4, v9, ve, m[s[14]], m[s[15]]);
    }
    state[0] ^= v0 ^ v8, state[1] ^= v1 ^ v9, state[2] ^= v2 ^ va, state[3] ^= v3 ^ vb;
    state[4] ^= v4 ^ vc, state[5] ^= v5 ^ vd, state[6] ^= v6 ^ ve, state[7] ^= v7 ^ vf;
}

/* `octets` has room for a whole last block. */
static void
blake2b(uint8_t *octets, size_t size, uint8_t hash[HASH])
{
    uint64_t state[8];
    size_t at = 0;
    memcpy(state, IV, 64);
    state[0] ^= 0x01010000 ^ HASH;
    for (; size - at > BLOCK; at += BLOCK)
        compress(state, octets + at, at + BLOCK, 0);
    memset(octets + size, 0, BLOCK - (size - at));
    compress(state, octets + at, size, 1);
    for (int i = 0; i < HASH; i++)
        hash[i] = (uint8_t)(state[i / 8] >> 8 * (i % 8));
}

/* --- the octets that are hashed --- */

static uint8_t *
number(uint8_t *to, int64_t value)
{
    uint8_t digits[NUMBER_MAX];
    int count = 0;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do
        digits[count++] = (uint8_t)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *to++ = '-';
    while (count)
        *to++ = digits[--count];
    return to;
}

static uint8_t *
piece(uint8_t *to, PyObject *octets)
{
    memcpy(to, PyBytes_AS_STRING(octets), (size_t)PyBytes_GET_SIZE(octets));
    return to + PyBytes_GET_SIZE(octets);
}

/* The beginning of a text, up to the packet's number. */
static uint8_t *
begun(uint8_t *text, const uint8_t before[HASH], int64_t seq, int64_t at, PyObject *lead, int64_t packet)
{
    uint8_t *to = text + HASH;
    memcpy(text, before, HASH);
    *to++ = '[';
    to = number(to, seq);
    *to++ = ',';
    to = number(to, at);
    return number(piece(to, lead), packet);
}

static int
fits(PyObject *pieces)
{
    Py_ssize_t size = 0;
    for (int i = 0; i < 4; i++)
        size += PyBytes_GET_SIZE(PyTuple_GET_ITEM(pieces, i));
    return size <= TEXT_MAX;
}

/* The next hash: of what stands before a packet's number and behind it. */
static void
link_hash(const uint8_t before[HASH], int64_t seq, int64_t at, PyObject *lead, int64_t packet, PyObject *plain,
          uint8_t hash[HASH])
{
    uint8_t text[TEXT_ROOM], *to = begun(text, before, seq, at, lead, packet);
    to = piece(to, plain);
    blake2b(text, (size_t)(to - text), hash);
}

/* The same where the packet was captured at another time than it counts at. */
static void
stamped_hash(const uint8_t before[HASH], int64_t seq, int64_t at, PyObject *pieces, int64_t packet, int64_t captured_at,
             uint8_t hash[HASH])
{
    uint8_t text[TEXT_ROOM], *to = begun(text, before, seq, at, PyTuple_GET_ITEM(pieces, 0), packet);
    to = piece(number(piece(to, PyTuple_GET_ITEM(pieces, 2)), captured_at), PyTuple_GET_ITEM(pieces, 3));
    blake2b(text, (size_t)(to - text), hash);
}

/* Whether `object` is a whole number of 64 bits from `least` on; then it is `*value`. */
static int
counts(PyObject *object, int64_t least, int64_t *value)
{
    int beyond;
    if (!PyLong_CheckExact(object))
        return 0;
    *value = PyLong_AsLongLongAndOverflow(object, &beyond);
    return !beyond && *value >= least;
}

/* --- the two functions --- */

/* Append a value that is ours to give away; 0, with an exception, if that failed. */
static int
give(PyObject *rows, PyObject *value)
{
    const int failed = value == NULL || PyList_Append(rows, value);
    Py_XDECREF(value);
    return !failed;
}

/* Append the values of a record's row, those that SQLite is to be told. */
static int
append(PyObject *rows, int64_t seq, PyObject *at, PyObject *model, PyObject *packet, const uint8_t hash[HASH])
{
    if (!give(rows, PyLong_FromLongLong(seq)) || PyList_Append(rows, at))
        return 0;
    for (int part = EVENT; part <= SOURCE; part++)
        if (PyList_Append(rows, PyTuple_GET_ITEM(model, part)))
            return 0;
    return !PyList_Append(rows, packet) && give(rows, PyByteArray_FromStringAndSize((const char *)hash, HASH));
}

static int
begin(PyObject *end, long long *seq, long long *now, uint8_t head[HASH])
{
    const char *octets;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(end, "LLy#", seq, now, &octets, &size))
        return 0;
    if (size != HASH) {
        PyErr_SetString(PyExc_ValueError, "a hash has 32 octets");
        return 0;
    }
    memcpy(head, octets, HASH);
    return 1;
}

/* What the next records are like, borrowed from `models`; NULL from the first on that is like none of them. What each
 * consists of lies far apart: one look-up does not wait for the other, and the chain waits for none. */
static void
look_up(PyObject *models, PyObject *const *likes, Py_ssize_t count, PyObject *found[AHEAD])
{
    Py_ssize_t known = 0;
    while (known < count && (found[known] = PyDict_GetItemWithError(models, likes[known])) != NULL)
        __builtin_prefetch(found[known++]);
    for (Py_ssize_t i = 0; i < known; i++)
        for (int part = 0; part < MODEL; part++)
            __builtin_prefetch(PyTuple_GET_ITEM(found[i], part));
    for (Py_ssize_t i = 0; i < known; i++)
        for (int line = 1; line <= 2; line++)
            __builtin_prefetch(PyBytes_AS_STRING(PyTuple_GET_ITEM(found[i], PLAIN)) + 64 * line);
    if (known < count)
        found[known] = NULL;
}

/* Append one record like a model behind seq, now and head, which are its own then; 0 if it is odd, or an exception. */
static int
extended(PyObject *model, PyObject *at, PyObject *packet, int64_t *seq, int64_t *now, uint8_t head[HASH], PyObject *rows)
{
    PyObject *lead = PyTuple_GET_ITEM(model, LEAD), *plain = PyTuple_GET_ITEM(model, PLAIN);
    int64_t instant, numbered;
    if (!counts(at, *now, &instant) || instant == INT64_MAX || !counts(packet, 1, &numbered)
        || PyBytes_GET_SIZE(lead) + PyBytes_GET_SIZE(plain) > TEXT_MAX)
        return 0;
    link_hash(head, *seq + 1, instant, lead, numbered, plain, head);
    if (!append(rows, *seq + 1, at, model, packet, head))
        return 0;
    ++*seq;
    *now = instant;
    return 1;
}

PyDoc_STRVAR(extend_doc, "Append records that say what others said: see chain.py.");

static PyObject *
extend(PyObject *module, PyObject *args)
{
    PyObject *end, *models, *given[3], *lists[3] = {NULL, NULL, NULL}, *rows, *result = NULL;
    long long seq, now;
    uint8_t head[HASH];
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!OOOO!", &PyTuple_Type, &end, &PyDict_Type, &models, &given[0], &given[1],
                          &given[2], &PyList_Type, &rows)
        || !begin(end, &seq, &now, head))
        return NULL;
    for (int i = 0; i < 3; i++)
        if ((lists[i] = PySequence_Fast(given[i], "a sequence is needed")) == NULL)
            goto done;
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(lists[0]);
    if (count != PySequence_Fast_GET_SIZE(lists[1]) || count != PySequence_Fast_GET_SIZE(lists[2])) {
        PyErr_SetString(PyExc_ValueError, "records, instants and packets are not as many");
        goto done;
    }
    PyObject **likes = PySequence_Fast_ITEMS(lists[0]), **ats = PySequence_Fast_ITEMS(lists[1]);
    PyObject **packets = PySequence_Fast_ITEMS(lists[2]), *found[AHEAD];
    int64_t number = seq, latest = now;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (i % AHEAD == 0)
            look_up(models, likes + i, count - i < AHEAD ? count - i : AHEAD, found);
        PyObject *model = found[i % AHEAD];
        if (model == NULL || !extended(model, ats[i], packets[i], &number, &latest, head, rows))
            break;
    }
    if (!PyErr_Occurred())
        result = Py_BuildValue("LLy#", (long long)number, (long long)latest, (const char *)head, (Py_ssize_t)HASH);
done:
    for (int i = 0; i < 3; i++)
        Py_XDECREF(lists[i]);
    return result;
}

/* The pieces of a row, borrowed; NULL, perhaps with an exception, if there are none. */
static PyObject *
pieces_of(PyObject *row, PyObject *models)
{
    PyObject *shared = PyTuple_GetSlice(row, SHARED_AT, ROW);
    if (shared == NULL)
        return NULL;
    PyObject *pieces = PyDict_GetItemWithError(models, shared);
    Py_DECREF(shared);
    return pieces;
}

PyDoc_STRVAR(walk_doc, "Go along records as read, as long as they are as they should be: see chain.py.");

static PyObject *
walk(PyObject *module, PyObject *args)
{
    PyObject *end, *rows, *models;
    Py_ssize_t place;
    long long seq, now;
    uint8_t head[HASH];
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!nO!", &PyTuple_Type, &end, &PyList_Type, &rows, &place, &PyDict_Type, &models)
        || !begin(end, &seq, &now, head))
        return NULL;
    for (Py_ssize_t i = place; i < PyList_GET_SIZE(rows); i++) {
        PyObject *row = PyList_GET_ITEM(rows, i), *pieces = pieces_of(row, models);
        PyObject *stamp = PyTuple_GET_ITEM(row, 3), *stored = PyTuple_GET_ITEM(row, 4);
        int64_t numbered, at, packet, captured_at = 0;
        uint8_t hash[HASH];
        if (pieces == NULL || !fits(pieces) || !counts(PyTuple_GET_ITEM(row, 0), seq + 1, &numbered)
            || numbered != seq + 1 || !counts(PyTuple_GET_ITEM(row, 1), now, &at)
            || !counts(PyTuple_GET_ITEM(row, 2), 1, &packet)
            || (stamp != Py_None && !counts(stamp, INT64_MIN, &captured_at)))
            break;
        if (stamp == Py_None)
            link_hash(head, numbered, at, PyTuple_GET_ITEM(pieces, 0), packet, PyTuple_GET_ITEM(pieces, 1), hash);
        else
            stamped_hash(head, numbered, at, pieces, packet, captured_at, hash);
        if (!PyBytes_CheckExact(stored) || PyBytes_GET_SIZE(stored) != HASH
            || memcmp(hash, PyBytes_AS_STRING(stored), HASH))
            break;
        memcpy(head, hash, HASH);
        seq = numbered;
        now = at;
    }
    return PyErr_Occurred() ? NULL : Py_BuildValue("LLy#", seq, now, (const char *)head, (Py_ssize_t)HASH);
}

static PyMethodDef methods[] = {{"extend", extend, METH_VARARGS, extend_doc},
                                {"walk", walk, METH_VARARGS, walk_doc},
                                {NULL, NULL, 0, NULL}};

static int
fill(PyObject *module)
{
    return PyModule_AddIntConstant(module, "COMPILED", 1);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "chain", .m_doc = "chain.py in C.", .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC
PyInit_chain(void)
{
    return PyModuleDef_Init(&definition);
}

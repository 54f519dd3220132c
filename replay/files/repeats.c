/* What routers say again, taken straight from a capture's window: repeats.py in C.
 *
 * Law: the same answers as repeats.py, which says what each argument is, for every window; nothing else is here.
 * Octets are read one by one in the capture's own byte order, and nothing is read outside the window.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

enum { ENHANCED = 6, BLOCK_LEAST = 32, BLOCK_HEAD = 28, ICMPV6_AT = 54, CHECKSUM_AT = 56 };

/* The places of an interface's entry in replay.files.ahead.Tables, of an Entry there, and of Watched. */
enum { KNOWN, UNIT, OFFSET, WHERE, READ, TURNED };
enum { FRAME, WORDS, STANDS, STANDING, LIKE, WAITS, WATCHED };
enum { SLACK, SPEAKER, PLAN, LEEWAY, OUTLINE, MASK, MASKED, SUM, PLACES };

/* A frame in the window, its octets before the ICMPv6 message as an object, and what else there is to say of it. */
typedef struct {
    const uint8_t *octets;
    Py_ssize_t size;
    PyObject *head;
    int64_t instant, seq;
} Frame;

static PyObject *zero, *words_type, *name_event, *name_plan, *name_queued, *name_seq, *name_standing, *name_waits;

static uint32_t
word(const uint8_t *at, int big)
{
    return big ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]
               : (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

/* ticks * unit + more; -1, which is before every instant, where that is none. */
static int64_t
instant_of(uint64_t ticks, int64_t unit, int64_t more)
{
    int64_t at;
    if (unit <= 0 || ticks > (uint64_t)(INT64_MAX / unit) || __builtin_add_overflow((int64_t)ticks * unit, more, &at))
        return -1;
    return at;
}

/* Whether what has to stand for the words of an entry does. */
static int
stands(PyObject *entry)
{
    PyObject *now = PyTuple_GET_ITEM(entry, STANDS);
    return PyList_GET_SIZE(now) && PyList_GET_ITEM(now, 0) == PyTuple_GET_ITEM(entry, STANDING);
}

/* Whether an entry is of that very frame. */
static int
is_of(PyObject *entry, const Frame *frame)
{
    PyObject *octets = PyTuple_GET_ITEM(entry, FRAME);
    return PyBytes_GET_SIZE(octets) == frame->size && !memcmp(PyBytes_AS_STRING(octets), frame->octets, frame->size);
}

/* The shortest lifetime of a frame of that outline: `soonest` of lifetimes.py. */
static uint32_t
soonest(PyObject *watched, const uint8_t *octets, Py_ssize_t size)
{
    PyObject *mask = PyTuple_GET_ITEM(watched, MASK), *places = PyTuple_GET_ITEM(watched, PLACES);
    const uint8_t *fixed = (const uint8_t *)PyBytes_AS_STRING(mask);
    const uint8_t *masked = (const uint8_t *)PyBytes_AS_STRING(PyTuple_GET_ITEM(watched, MASKED));
    const uint8_t *place = (const uint8_t *)PyBytes_AS_STRING(places), *end = place + PyBytes_GET_SIZE(places);
    uint32_t least = UINT32_MAX, differ = 0;
    if (size != PyBytes_GET_SIZE(mask))
        return 0;
    for (Py_ssize_t at = 0; at < size; at++)
        differ |= (octets[at] & fixed[at]) ^ masked[at];
    if (differ)
        return 0;
    uint64_t sum = (uint64_t)octets[CHECKSUM_AT] << 8 | octets[CHECKSUM_AT + 1];
    for (; place < end; place += 4) {
        const uint8_t *lifetime = octets + (place[0] << 8 | place[1]);
        uint32_t lasting = word(lifetime, 1), preferred = place[2] || place[3] ? word(lifetime + 4, 1) : 0;
        if (preferred > lasting)
            return 0;
        least = lasting < least ? lasting : least;
        sum += (uint64_t)lasting + preferred;
    }
    return sum % 65535 == PyLong_AsUnsignedLong(PyTuple_GET_ITEM(watched, SUM)) ? least : 0;
}

/* Whether a router may say at that time what it said last, with a lifetime so short. */
static int
lasts(PyObject *leeway, int64_t instant, uint32_t lifetime_s)
{
    PyObject *queued = PyObject_GetAttr(leeway, name_queued);
    int64_t limit = queued == NULL ? -1 : PyLong_AsLongLong(queued), ends;
    Py_XDECREF(queued);
    if (PyErr_Occurred())
        return 0;
    return __builtin_add_overflow(instant, lifetime_s * INT64_C(1000000000), &ends) || ends >= limit;
}

/* Whether it may say what stands at that place of `watched` behind words of another plan: then that is its plan. */
static int
turns(PyObject *before, Py_ssize_t place, uint32_t lifetime_s, const Frame *frame, PyObject *table, PyObject *plans)
{
    PyObject *watched = PyTuple_GET_ITEM(before, WATCHED), *one = Py_NewRef(PyList_GET_ITEM(watched, place));
    int64_t said_at = 0;
    if (stands(before))
        memcpy(&said_at, PyByteArray_AS_STRING(PyTuple_GET_ITEM(before, WAITS)), sizeof said_at);
    PyObject *speaker = PyTuple_GET_ITEM(one, SPEAKER), *plan = PyTuple_GET_ITEM(one, PLAN);
    PyObject *may = PyObject_CallFunction(PyTuple_GET_ITEM(table, TURNED), "OkLLL", PyTuple_GET_ITEM(one, SLACK),
                                          (unsigned long)lifetime_s, (long long)frame->instant, (long long)frame->seq,
                                          (long long)said_at);
    int yes = may != NULL && PyObject_IsTrue(may) == 1 && PyDict_SetItem(plans, speaker, plan) == 0
              && PyList_SetSlice(watched, place, place + 1, NULL) == 0 && PyList_Insert(watched, 0, one) == 0;
    Py_XDECREF(may);
    Py_DECREF(one);
    return yes;
}

/* Where something stands for a router's words, borrowed; NULL with an exception. */
static PyObject *
place_of(PyObject *steady, PyObject *speaker)
{
    PyObject *made = PyList_New(1);
    if (made == NULL)
        return NULL;
    PyList_SET_ITEM(made, 0, Py_NewRef(Py_None));
    PyObject *place = PyDict_SetDefault(steady, speaker, made);
    Py_DECREF(made);
    return place;
}

/* The words of a frame that is not known: those of its router's entry, where it said of that plan, or new ones. */
static PyObject *
words_of(PyObject *before, PyObject *one, PyObject *data, PyObject *seq, PyObject *read)
{
    PyObject *words = PyTuple_GET_ITEM(before, WORDS), *plan = PyTuple_GET_ITEM(one, PLAN);
    PyObject *last = PyObject_GetAttr(words, name_plan);
    if (last == NULL)
        return NULL;
    Py_DECREF(last);
    if (last != plan || !stands(before))
        return PyObject_CallFunctionObjArgs(words_type, PyTuple_GET_ITEM(one, SPEAKER), seq, data, plan, Py_None, read, NULL);
    if (PyObject_SetAttr(words, name_seq, seq) || PyObject_SetAttr(words, name_standing, data)
        || PyObject_SetAttr(words, name_event, Py_None))
        return NULL;
    return Py_NewRef(words);
}

/* The entry of a frame that its router's may become, as repeats.py has it; NULL, perhaps with an exception. */
static PyObject *
recounted(PyObject *before, const Frame *frame, PyObject *table, PyObject *steady, PyObject *plans, PyObject *fresh)
{
    PyObject *watched = PyTuple_GET_ITEM(before, WATCHED), *read = PyTuple_GET_ITEM(table, READ);
    Py_ssize_t place = 0, count = read == Py_None ? 0 : PyList_GET_SIZE(watched);
    uint32_t lifetime_s = 0;
    while (place < count && (lifetime_s = soonest(PyList_GET_ITEM(watched, place), frame->octets, frame->size)) == 0)
        place++;
    if (lifetime_s == 0)
        return NULL;
    PyObject *one = PyList_GET_ITEM(watched, place), *speaker = PyTuple_GET_ITEM(one, SPEAKER);
    PyObject *present = PyDict_GetItemWithError(plans, speaker);
    if (PyErr_Occurred())
        return NULL;
    if (present == PyTuple_GET_ITEM(one, PLAN) ? !lasts(PyTuple_GET_ITEM(one, LEEWAY), frame->instant, lifetime_s)
                                               : !turns(before, place, lifetime_s, frame, table, plans))
        return NULL;
    PyObject *words = NULL, *waiting = NULL, *entry = NULL, *kept = NULL, *now = place_of(steady, speaker);
    PyObject *data = PyBytes_FromStringAndSize((const char *)frame->octets, frame->size);
    PyObject *seq = PyLong_FromLongLong(frame->seq);
    if (now != NULL && data != NULL && seq != NULL && (words = words_of(before, one, data, seq, read)) != NULL
        && (waiting = PyObject_GetAttr(words, name_waits)) != NULL
        && (kept = PyTuple_Pack(3, seq, PyTuple_GET_ITEM(table, WHERE), data)) != NULL
        && (entry = PyTuple_Pack(7, data, words, now, data, seq, waiting, watched)) != NULL
        && (PyList_SetItem(now, 0, Py_NewRef(data))
            || PyDict_SetItem(PyTuple_GET_ITEM(table, KNOWN), frame->head, entry) || PyList_Append(fresh, kept)))
        Py_CLEAR(entry);
    Py_XDECREF(data);
    Py_XDECREF(seq);
    Py_XDECREF(words);
    Py_XDECREF(waiting);
    Py_XDECREF(kept);
    return entry;
}

/* The words of an entry wait: since when, and as which record. `said` has them if they did not before. */
static int
waits(PyObject *entry, const Frame *frame, PyObject *said)
{
    PyObject *waits = PyTuple_GET_ITEM(entry, WAITS);
    int64_t last[2];
    memcpy(last, PyByteArray_AS_STRING(waits), sizeof last);
    const int failed = last[1] == 0 && PyList_Append(said, PyTuple_GET_ITEM(entry, WORDS)) != 0;
    last[0] = frame->instant;
    last[1] = frame->seq;
    memcpy(PyByteArray_AS_STRING(waits), last, sizeof last);
    return failed;
}

PyDoc_STRVAR(take_doc, "Take packets of a window: see repeats.py.");

static PyObject *
take(PyObject *module, PyObject *args)
{
    Py_buffer window, likes, ats, packets;
    const char *order;
    Py_ssize_t at, head, row, room, last = -1;
    PyObject *tables, *steady, *plans, *said, *fresh;
    long long number, seq, first, before;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*nsn(LnL)O!(O!O!)(LLn)(O!O!w*w*w*)", &window, &at, &order, &head, &number, &row, &seq,
                          &PyList_Type, &tables, &PyDict_Type, &steady, &PyDict_Type, &plans, &first, &before, &room,
                          &PyList_Type, &said, &PyList_Type, &fresh, &likes, &ats, &packets))
        return NULL;
    const uint8_t *octets = window.buf;
    const Py_ssize_t size = window.len;
    const int big = order[0] == '>';
    const Py_ssize_t least = likes.len < ats.len ? likes.len : ats.len;
    const Py_ssize_t rows = (least < packets.len ? least : packets.len) / (Py_ssize_t)sizeof(int64_t);
    if (row < 0 || room > rows - row)
        PyErr_SetString(PyExc_IndexError, "the columns are too short for so many packets");
    if (PyErr_Occurred())
        room = 0;
    while (room > 0 && size - at >= (head ? head : BLOCK_LEAST)) {
        const uint8_t *here = octets + at;
        int64_t length, start, index, caplen; /* unsigned 32 bits each: a Py_ssize_t need not hold them */
        if (head) {
            caplen = word(here + 8, big);
            index = 0;
            start = head;
            length = head + caplen;
            if (length > size - at || word(here + 12, big) > caplen)
                break;
        } else {
            length = word(here + 4, big);
            index = word(here + 8, big);
            caplen = word(here + 20, big);
            start = BLOCK_HEAD;
            if (word(here, big) != ENHANCED || length > size - at || length % 4 || caplen > length - BLOCK_LEAST
                || word(here + 24, big) > caplen || word(here + length - 4, big) != length)
                break;
        }
        if (index >= PyList_GET_SIZE(tables))
            break;
        PyObject *table = PyList_GET_ITEM(tables, (Py_ssize_t)index);
        if (table == Py_None)
            break;
        int64_t unit = PyLong_AsLongLong(PyTuple_GET_ITEM(table, UNIT));
        int64_t offset = PyLong_AsLongLong(PyTuple_GET_ITEM(table, OFFSET)), instant;
        if (PyErr_Occurred())
            break;
        if (head)
            instant = word(here, big) * INT64_C(1000000000) + word(here + 4, big) * unit;
        else
            instant = instant_of((uint64_t)word(here + 12, big) << 32 | word(here + 16, big), unit, offset);
        if (instant < first || instant >= before)
            break;
        Frame frame = {here + start, (Py_ssize_t)caplen, NULL, instant, seq};
        frame.head = PyBytes_FromStringAndSize((const char *)frame.octets, caplen < ICMPV6_AT ? (Py_ssize_t)caplen : ICMPV6_AT);
        if (frame.head == NULL)
            break;
        PyObject *found = PyDict_GetItemWithError(PyTuple_GET_ITEM(table, KNOWN), frame.head);
        Py_XINCREF(found);
        if (found != NULL && !(is_of(found, &frame) && stands(found))) {
            PyObject *before = found;
            found = recounted(before, &frame, table, steady, plans, fresh);
            Py_DECREF(before);
        }
        Py_DECREF(frame.head);
        if (found == NULL)
            break;
        ((int64_t *)likes.buf)[row] = PyLong_AsLongLong(PyTuple_GET_ITEM(found, LIKE));
        ((int64_t *)ats.buf)[row] = instant;
        ((int64_t *)packets.buf)[row] = ++number;
        const int failed = PyErr_Occurred() != NULL || waits(found, &frame, said);
        Py_DECREF(found);
        if (failed)
            break;
        first = instant;
        last = at;
        at += (Py_ssize_t)length;
        row++;
        seq++;
        room--;
    }
    PyBuffer_Release(&window);
    PyBuffer_Release(&likes);
    PyBuffer_Release(&ats);
    PyBuffer_Release(&packets);
    return PyErr_Occurred() ? NULL : Py_BuildValue("nnn", at, last, row);
}

static PyMethodDef methods[] = {{"take", take, METH_VARARGS, take_doc}, {NULL, NULL, 0, NULL}};

static int
fill(PyObject *module)
{
    const struct {
        PyObject **name;
        const char *text;
    } names[] = {{&name_event, "event"}, {&name_plan, "plan"},         {&name_queued, "queued"},
                 {&name_seq, "seq"},     {&name_standing, "standing"}, {&name_waits, "waits"}};
    for (size_t place = 0; place < sizeof names / sizeof *names; place++)
        if ((*names[place].name = PyUnicode_InternFromString(names[place].text)) == NULL)
            return -1;
    PyObject *words = PyImport_ImportModule("pvdcore.routers.words");
    words_type = words == NULL ? NULL : PyObject_GetAttrString(words, "Words");
    Py_XDECREF(words);
    if (words_type == NULL || (zero = PyLong_FromLong(0)) == NULL)
        return -1;
    return PyModule_AddIntConstant(module, "COMPILED", 1);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "repeats", .m_doc = "repeats.py in C.", .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC
PyInit_repeats(void)
{
    return PyModuleDef_Init(&definition);
}

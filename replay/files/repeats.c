/* What routers say again, taken straight from a capture's window: repeats.py in C.
 *
 * Law: the same answers as repeats.py, which says what each argument is, for every window; nothing else is here.
 * Octets are read one by one in the capture's own byte order, and nothing is read outside the window.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

enum { ENHANCED = 6, BLOCK_LEAST = 32, BLOCK_HEAD = 28, ICMPV6_AT = 54 };

/* The places of an interface's entry in replay.files.ahead.Tables, and of Watched there. */
enum { KNOWN, UNIT, OFFSET, OUTLINES, FRESH, TURNED };
enum { SLACK, SPEAKER, PLAN, LEEWAY, OUTLINE, MASK, REST, SUM, PLACES };
/* Those of an Entry there. */
enum { FRAME, WORDS, STANDS, STANDING, LIKE, WAITS };

/* A frame in the window, its octets before the ICMPv6 message as an object, and what else there is to say of it. */
typedef struct {
    const uint8_t *octets;
    Py_ssize_t size;
    PyObject *head;
    int64_t instant, seq;
} Frame;

static PyObject *name_queued;

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

/* The entry of a frame that still stands, borrowed; NULL, perhaps with an exception, if there is none. */
static PyObject *
standing_words(PyObject *known, const Frame *frame)
{
    PyObject *found = PyDict_GetItemWithError(known, frame->head);
    if (found == NULL)
        return NULL;
    PyObject *octets = PyTuple_GET_ITEM(found, FRAME);
    if (PyBytes_GET_SIZE(octets) != frame->size || memcmp(PyBytes_AS_STRING(octets), frame->octets, frame->size))
        return NULL;
    PyObject *stands = PyTuple_GET_ITEM(found, STANDS);
    return PyList_GET_SIZE(stands) && PyList_GET_ITEM(stands, 0) == PyTuple_GET_ITEM(found, STANDING) ? found : NULL;
}

/* Octets as one big-endian number, modulo 65535 (lifetimes.py: its checksum is right). */
static uint32_t
modulo(const uint8_t *octets, Py_ssize_t size)
{
    uint64_t sum = size % 2 ? octets[0] : 0;
    for (Py_ssize_t at = size % 2; at < size; at += 2)
        sum += (uint32_t)octets[at] << 8 | octets[at + 1];
    return (uint32_t)(sum % 65535);
}

/* The shortest lifetime of a frame of that outline: `soonest` of lifetimes.py. */
static uint32_t
soonest(PyObject *watched, const uint8_t *octets, Py_ssize_t size)
{
    PyObject *mask = PyTuple_GET_ITEM(watched, MASK), *places = PyTuple_GET_ITEM(watched, PLACES);
    const uint8_t *fixed = (const uint8_t *)PyBytes_AS_STRING(mask);
    const uint8_t *rest = (const uint8_t *)PyBytes_AS_STRING(PyTuple_GET_ITEM(watched, REST));
    const uint8_t *place = (const uint8_t *)PyBytes_AS_STRING(places), *end = place + PyBytes_GET_SIZE(places);
    uint32_t least = UINT32_MAX, differ = 0;
    if (size != PyBytes_GET_SIZE(mask))
        return 0;
    for (Py_ssize_t at = 0; at < size; at++)
        differ |= (octets[at] & fixed[at]) ^ rest[at];
    if (differ || modulo(octets, size) != PyLong_AsUnsignedLong(PyTuple_GET_ITEM(watched, SUM)))
        return 0;
    for (; place < end; place += 4) {
        const uint8_t *lifetime = octets + (place[0] << 8 | place[1]);
        uint32_t lasting = word(lifetime, 1);
        if ((place[2] || place[3]) && word(lifetime + 4, 1) > lasting)
            return 0;
        least = lasting < least ? lasting : least;
    }
    return least;
}

/* The words of a frame that its router's last ones allow, as repeats.py has it; NULL, perhaps with an exception. */
static PyObject *
recounted(const Frame *frame, PyObject *table, PyObject *plans)
{
    PyObject *watched = PyDict_GetItemWithError(PyTuple_GET_ITEM(table, OUTLINES), frame->head);
    if (watched == NULL)
        return NULL;
    PyObject *plan = PyDict_GetItemWithError(plans, PyTuple_GET_ITEM(watched, SPEAKER));
    if (plan == NULL || plan != PyTuple_GET_ITEM(watched, PLAN))
        return NULL;
    uint32_t lifetime_s = soonest(watched, frame->octets, frame->size);
    if (lifetime_s == 0) {
        PyObject *found = PyObject_CallFunction(PyTuple_GET_ITEM(table, TURNED), "y#LL", (const char *)frame->octets,
                                                frame->size, (long long)frame->instant, (long long)frame->seq);
        if (found == Py_None)
            Py_CLEAR(found);
        return found;
    }
    PyObject *queued = PyObject_GetAttr(PyTuple_GET_ITEM(watched, LEEWAY), name_queued);
    int64_t limit = queued == NULL ? -1 : PyLong_AsLongLong(queued), ends;
    Py_XDECREF(queued);
    if (PyErr_Occurred())
        return NULL;
    if (__builtin_add_overflow(frame->instant, lifetime_s * INT64_C(1000000000), &ends))
        ends = INT64_MAX;
    if (ends < limit)
        return NULL;
    return PyObject_CallFunction(PyTuple_GET_ITEM(table, FRESH), "Oy#L", PyTuple_GET_ITEM(watched, SLACK),
                                 (const char *)frame->octets, frame->size, (long long)frame->seq);
}

/* The words of an entry wait: since when, and as which record. `said` has them if they did not before. */
static int
waits(PyObject *entry, const Frame *frame, PyObject *said)
{
    PyObject *waiting = PyTuple_GET_ITEM(entry, WAITS);
    PyObject *at = PyLong_FromLongLong(frame->instant), *seq = PyLong_FromLongLong(frame->seq);
    int failed = at == NULL || seq == NULL;
    if (!failed && PyLong_AsLongLong(PyList_GET_ITEM(waiting, 1)) == 0)
        failed = PyErr_Occurred() != NULL || PyList_Append(said, PyTuple_GET_ITEM(entry, WORDS)) != 0;
    if (failed) {
        Py_XDECREF(at);
        Py_XDECREF(seq);
        return -1;
    }
    return PyList_SetItem(waiting, 0, at) || PyList_SetItem(waiting, 1, seq) ? -1 : 0;
}

PyDoc_STRVAR(take_doc, "Take packets of a window: see repeats.py.");

static PyObject *
take(PyObject *module, PyObject *args)
{
    Py_buffer window, likes, ats, packets;
    const char *order;
    Py_ssize_t at, head, row, room, last = -1;
    PyObject *tables, *plans, *said;
    long long number, seq, first, before;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*nsn(LnL)O!O!(LLn)(O!w*w*w*)", &window, &at, &order, &head, &number, &row, &seq,
                          &PyList_Type, &tables, &PyDict_Type, &plans, &first, &before, &room,
                          &PyList_Type, &said, &likes, &ats, &packets))
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
        PyObject *found = standing_words(PyTuple_GET_ITEM(table, KNOWN), &frame);
        Py_XINCREF(found);
        if (found == NULL && !PyErr_Occurred())
            found = recounted(&frame, table, plans);
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
    name_queued = PyUnicode_InternFromString("queued");
    if (name_queued == NULL)
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

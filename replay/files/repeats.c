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

/* The entry of a frame's octets that still stands, borrowed; NULL, perhaps with an exception, if there is none. */
static PyObject *
standing_words(PyObject *known, PyObject *standing, PyObject *frame)
{
    PyObject *found = PyDict_GetItemWithError(known, frame);
    if (found == NULL)
        return NULL;
    PyObject *stands = PyDict_GetItemWithError(standing, PyTuple_GET_ITEM(found, 1));
    return stands == PyTuple_GET_ITEM(found, 2) ? found : NULL;
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
recounted(PyObject *frame, int64_t instant, PyObject *table, PyObject *plans)
{
    Py_ssize_t size = PyBytes_GET_SIZE(frame);
    const uint8_t *octets = (const uint8_t *)PyBytes_AS_STRING(frame);
    PyObject *head = PyBytes_FromStringAndSize((const char *)octets, size < ICMPV6_AT ? size : ICMPV6_AT);
    if (head == NULL)
        return NULL;
    PyObject *watched = PyDict_GetItemWithError(PyTuple_GET_ITEM(table, OUTLINES), head);
    Py_DECREF(head);
    if (watched == NULL)
        return NULL;
    PyObject *plan = PyDict_GetItemWithError(plans, PyTuple_GET_ITEM(watched, SPEAKER));
    if (plan == NULL || plan != PyTuple_GET_ITEM(watched, PLAN))
        return NULL;
    uint32_t lifetime_s = soonest(watched, octets, size);
    if (lifetime_s == 0) {
        PyObject *at = PyLong_FromLongLong(instant);
        PyObject *found = at == NULL ? NULL : PyObject_CallFunctionObjArgs(PyTuple_GET_ITEM(table, TURNED), frame, at, NULL);
        Py_XDECREF(at);
        if (found == Py_None)
            Py_CLEAR(found);
        return found;
    }
    PyObject *queued = PyObject_GetAttr(PyTuple_GET_ITEM(watched, LEEWAY), name_queued);
    int64_t limit = queued == NULL ? -1 : PyLong_AsLongLong(queued), ends;
    Py_XDECREF(queued);
    if (PyErr_Occurred())
        return NULL;
    if (__builtin_add_overflow(instant, lifetime_s * INT64_C(1000000000), &ends))
        ends = INT64_MAX;
    if (ends < limit)
        return NULL;
    return PyObject_CallFunctionObjArgs(PyTuple_GET_ITEM(table, FRESH), PyTuple_GET_ITEM(watched, SLACK), frame, NULL);
}

static int
append(PyObject *list, PyObject *owned)
{
    int failed = owned == NULL || PyList_Append(list, owned);
    Py_XDECREF(owned);
    return failed;
}

PyDoc_STRVAR(take_doc, "Take packets of a window: see repeats.py.");

static PyObject *
take(PyObject *module, PyObject *args)
{
    Py_buffer window;
    const char *order;
    Py_ssize_t at, head, number, room, last = -1;
    PyObject *tables, *standing, *plans, *said, *ats, *packets;
    long long first, before;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*nsnnO!(O!O!)(LLn)(O!O!O!)", &window, &at, &order, &head, &number, &PyList_Type, &tables,
                          &PyDict_Type, &standing, &PyDict_Type, &plans, &first, &before, &room, &PyList_Type, &said,
                          &PyList_Type, &ats, &PyList_Type, &packets))
        return NULL;
    const uint8_t *octets = window.buf;
    const Py_ssize_t size = window.len;
    const int big = order[0] == '>';
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
        PyObject *frame = PyBytes_FromStringAndSize((const char *)here + start, (Py_ssize_t)caplen);
        if (frame == NULL)
            break;
        PyObject *found = standing_words(PyTuple_GET_ITEM(table, KNOWN), standing, frame);
        Py_XINCREF(found);
        if (found == NULL && !PyErr_Occurred())
            found = recounted(frame, instant, table, plans);
        Py_DECREF(frame);
        if (found == NULL)
            break;
        int failed = append(said, Py_NewRef(PyTuple_GET_ITEM(found, 0))) || append(ats, PyLong_FromLongLong(instant))
                     || append(packets, PyLong_FromSsize_t(number + 1));
        Py_DECREF(found);
        if (failed)
            break;
        first = instant;
        last = at;
        at += (Py_ssize_t)length;
        number++;
        room--;
    }
    PyBuffer_Release(&window);
    return PyErr_Occurred() ? NULL : Py_BuildValue("nn", at, last);
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

/* What routers say again, taken straight from a capture's window: repeats.py in C.
 *
 * Law: the same answers as repeats.py, which says what each argument is, for every window; nothing else is here.
 * Octets are read one by one in the capture's own byte order, and nothing is read outside the window.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

enum { ENHANCED = 6, BLOCK_LEAST = 32, BLOCK_HEAD = 28 };

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
standing_words(PyObject *known, PyObject *standing, const uint8_t *octets, Py_ssize_t size)
{
    PyObject *frame = PyBytes_FromStringAndSize((const char *)octets, size);
    if (frame == NULL)
        return NULL;
    PyObject *found = PyDict_GetItemWithError(known, frame);
    Py_DECREF(frame);
    if (found == NULL)
        return NULL;
    PyObject *stands = PyDict_GetItemWithError(standing, PyTuple_GET_ITEM(found, 1));
    return stands == PyTuple_GET_ITEM(found, 2) ? found : NULL;
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
    PyObject *tables, *standing, *said, *ats, *packets;
    long long first, before;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*nsnnO!O!(LLn)(O!O!O!)", &window, &at, &order, &head, &number, &PyList_Type, &tables,
                          &PyDict_Type, &standing, &first, &before, &room, &PyList_Type, &said, &PyList_Type, &ats,
                          &PyList_Type, &packets))
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
        PyObject *found = standing_words(PyTuple_GET_ITEM(table, 0), standing, here + start, (Py_ssize_t)caplen);
        if (found == NULL)
            break;
        int64_t unit = PyLong_AsLongLong(PyTuple_GET_ITEM(table, 1));
        int64_t offset = PyLong_AsLongLong(PyTuple_GET_ITEM(table, 2)), instant;
        if (PyErr_Occurred())
            break;
        if (head)
            instant = word(here, big) * INT64_C(1000000000) + word(here + 4, big) * unit;
        else
            instant = instant_of((uint64_t)word(here + 12, big) << 32 | word(here + 16, big), unit, offset);
        if (instant < first || instant >= before)
            break;
        if (append(said, Py_NewRef(PyTuple_GET_ITEM(found, 0))) || append(ats, PyLong_FromLongLong(instant))
            || append(packets, PyLong_FromSsize_t(number + 1)))
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

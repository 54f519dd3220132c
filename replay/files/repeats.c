/* What routers say again, taken straight from a capture's window: repeats.py in C.
 *
 * Law: the same answers as repeats.py, which says what each argument is, for every window; nothing else is here.
 * Octets are read one by one in the capture's own byte order, and nothing is read outside the window.
 *
 * What costs is memory: the entries of a thousand routers are too much for a cache. So beside a dict of them is a table
 * of what is looked at each time, one line of a cache an entry; what is not found there is looked up in the dict.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

enum { ENHANCED = 6, BLOCK_LEAST = 32, BLOCK_HEAD = 28, ICMPV6_AT = 54, CHECKSUM_AT = 56 };
enum { PROBES = 4, PLACES_LEAST = 64, SPARSE = 2, LINE = 64 };

/* The places of an interface's entry in replay.files.ahead.Tables, of an Entry there, and of Watched. */
enum { KNOWN, UNIT, OFFSET, WHERE, READ, TURNED, UNREAD };
enum { FRAME, WORDS, STANDS, STANDING, LIKE, WAITS, WATCHED, ENTRY };
enum { SLACK, SPEAKER, PLAN, LEEWAY, OUTLINE, MASK, MASKED, SUM, PLACES };

/* A frame in the window, and what else there is to say of it. */
typedef struct {
    const uint8_t *octets;
    Py_ssize_t size;
    int64_t instant, seq;
} Frame;

/* What of an entry is looked at each time, borrowed from it. entry: NULL where there is none. */
typedef struct {
    uint64_t hash;
    PyObject *entry, *stands, *standing, *waits;
    const uint8_t *octets;
    Py_ssize_t size;
    int64_t like;
} Place;

/* Entries by their heads. places: of some that are in the dict, mask + 1 in all; or NULL. */
typedef struct {
    PyObject_HEAD
    PyObject *entries;
    Place *places;
    size_t mask;
} Known;

/* What is gathered: columns, the row that comes next, and words; number: of the packet before. */
typedef struct {
    int64_t *likes, *ats, *packets, number;
    Py_ssize_t row;
    PyObject *said;
} Gathered;

static PyObject *words_type, *name_event, *name_plan, *name_queued, *name_seq, *name_standing, *name_waits;

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

/* Whether that stands there. */
static int
holds(PyObject *stands, PyObject *standing)
{
    return PyList_GET_SIZE(stands) && PyList_GET_ITEM(stands, 0) == standing;
}

/* Whether what has to stand for the words of an entry does. */
static int
stands(PyObject *entry)
{
    return holds(PyTuple_GET_ITEM(entry, STANDS), PyTuple_GET_ITEM(entry, STANDING));
}

/* Whether an entry is of that very frame. */
static int
is_of(PyObject *entry, const Frame *frame)
{
    PyObject *octets = PyTuple_GET_ITEM(entry, FRAME);
    return PyBytes_GET_SIZE(octets) == frame->size && !memcmp(PyBytes_AS_STRING(octets), frame->octets, frame->size);
}

static uint64_t
mixed(uint64_t hash, const uint8_t *octets)
{
    uint64_t part;
    memcpy(&part, octets, sizeof part);
    hash = (hash ^ part) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 32;
}

/* A hash of a head. Heads that somebody makes to have the same one are looked up in the dict. */
static uint64_t
hash_of(const uint8_t *head)
{
    uint64_t hash = 0;
    for (Py_ssize_t at = 0; at + 8 <= ICMPV6_AT; at += 8)
        hash = mixed(hash, head + at);
    return mixed(hash, head + ICMPV6_AT - 8);
}

/* The place with that hash; NULL if there is none. */
static Place *
place_with(const Known *known, uint64_t hash)
{
    for (size_t probe = 0; known->places != NULL && probe < PROBES; probe++) {
        Place *place = &known->places[(hash + probe) & known->mask];
        if (place->entry != NULL && place->hash == hash)
            return place;
    }
    return NULL;
}

/* Have an entry of the dict found at once, if need be instead of another. */
static void
put_place(Known *known, PyObject *head, PyObject *entry)
{
    if (PyBytes_GET_SIZE(head) != ICMPV6_AT)
        return;
    const uint64_t hash = hash_of((const uint8_t *)PyBytes_AS_STRING(head));
    Place *place = place_with(known, hash);
    for (size_t probe = 0; place == NULL && probe < PROBES; probe++)
        if (known->places[(hash + probe) & known->mask].entry == NULL)
            place = &known->places[(hash + probe) & known->mask];
    if (place == NULL)
        place = &known->places[hash & known->mask];
    PyObject *frame = PyTuple_GET_ITEM(entry, FRAME);
    *place = (Place){.hash = hash,
                     .entry = entry,
                     .stands = PyTuple_GET_ITEM(entry, STANDS),
                     .standing = PyTuple_GET_ITEM(entry, STANDING),
                     .waits = PyTuple_GET_ITEM(entry, WAITS),
                     .octets = (const uint8_t *)PyBytes_AS_STRING(frame),
                     .size = PyBytes_GET_SIZE(frame),
                     .like = PyLong_AsLongLong(PyTuple_GET_ITEM(entry, LIKE))};
}

static void
forget_places(Known *known)
{
    free(known->places);
    known->places = NULL;
    known->mask = 0;
}

/* Have room for the places of all entries, and some more. */
static int
put_places(Known *known)
{
    size_t count = PLACES_LEAST;
    while (count < 2 * SPARSE * (size_t)PyDict_GET_SIZE(known->entries))
        count *= 2;
    forget_places(known);
    if ((known->places = aligned_alloc(LINE, count * sizeof(Place))) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memset(known->places, 0, count * sizeof(Place));
    known->mask = count - 1;
    PyObject *head, *entry;
    for (Py_ssize_t at = 0; PyDict_Next(known->entries, &at, &head, &entry);)
        put_place(known, head, entry);
    return 0;
}

static int
is_entry(PyObject *one)
{
    return PyTuple_CheckExact(one) && PyTuple_GET_SIZE(one) == ENTRY && PyBytes_CheckExact(PyTuple_GET_ITEM(one, FRAME))
           && PyList_CheckExact(PyTuple_GET_ITEM(one, STANDS)) && PyLong_CheckExact(PyTuple_GET_ITEM(one, LIKE))
           && PyByteArray_CheckExact(PyTuple_GET_ITEM(one, WAITS)) && PyList_CheckExact(PyTuple_GET_ITEM(one, WATCHED));
}

/* known[head] = entry. The one before is no longer found at once when it goes. */
static int
known_put(Known *known, PyObject *head, PyObject *entry)
{
    if (entry == NULL || !PyBytes_CheckExact(head) || !is_entry(entry)) {
        PyErr_SetString(PyExc_TypeError, "a head has an entry, and keeps it until all are cleared");
        return -1;
    }
    if (PyLong_AsLongLong(PyTuple_GET_ITEM(entry, LIKE)) == -1 && PyErr_Occurred())
        return -1;
    if (PyBytes_GET_SIZE(head) == ICMPV6_AT) {
        Place *before = place_with(known, hash_of((const uint8_t *)PyBytes_AS_STRING(head)));
        if (before != NULL)
            before->entry = NULL;
    }
    if (PyDict_SetItem(known->entries, head, entry))
        return -1;
    if (known->places == NULL || SPARSE * (size_t)PyDict_GET_SIZE(known->entries) > known->mask)
        return put_places(known);
    put_place(known, head, entry);
    return 0;
}

static PyObject *
known_get(Known *known, PyObject *head)
{
    PyObject *entry = PyDict_GetItemWithError(known->entries, head);
    return entry != NULL || PyErr_Occurred() ? Py_XNewRef(entry) : Py_NewRef(Py_None);
}

static PyObject *
known_items(Known *known, PyObject *nothing)
{
    (void)nothing;
    return PyDict_Items(known->entries);
}

static int
known_forget(Known *known)
{
    forget_places(known);
    PyDict_Clear(known->entries);
    return 0;
}

static PyObject *
known_clear(Known *known, PyObject *nothing)
{
    (void)nothing;
    known_forget(known);
    return Py_NewRef(Py_None);
}

static PyObject *
known_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
    (void)args, (void)names;
    PyObject *entries = PyDict_New();
    Known *known = entries == NULL ? NULL : (Known *)type->tp_alloc(type, 0);
    if (known == NULL) {
        Py_XDECREF(entries);
        return NULL;
    }
    known->entries = entries;
    return (PyObject *)known;
}

static void
known_dealloc(Known *known)
{
    PyObject_GC_UnTrack(known);
    forget_places(known);
    Py_DECREF(known->entries);
    Py_TYPE(known)->tp_free(known);
}

static int
known_traverse(Known *known, visitproc visit, void *arg)
{
    Py_VISIT(known->entries);
    return 0;
}

static PyMethodDef known_methods[] = {{"get", (PyCFunction)known_get, METH_O, NULL},
                                      {"items", (PyCFunction)known_items, METH_NOARGS, NULL},
                                      {"clear", (PyCFunction)known_clear, METH_NOARGS, NULL},
                                      {NULL, NULL, 0, NULL}};
static PyMappingMethods known_mapping = {.mp_ass_subscript = (objobjargproc)known_put};
static PyTypeObject known_type = {PyVarObject_HEAD_INIT(NULL, 0).tp_name = "replay.files.repeats.Known",
                                  .tp_basicsize = sizeof(Known),
                                  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                                  .tp_new = known_new,
                                  .tp_dealloc = (destructor)known_dealloc,
                                  .tp_traverse = (traverseproc)known_traverse,
                                  .tp_clear = (inquiry)known_forget,
                                  .tp_as_mapping = &known_mapping,
                                  .tp_methods = known_methods};

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

/* Whether it may say `one`, which stands at that place of what is watched, behind words of another plan: then that is
 * its plan. */
static int
turns(PyObject *before, PyObject *one, Py_ssize_t place, uint32_t lifetime_s, const Frame *frame, PyObject *table,
      PyObject *plans)
{
    PyObject *watched = PyTuple_GET_ITEM(before, WATCHED);
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
        return PyObject_CallFunctionObjArgs(words_type, PyTuple_GET_ITEM(one, SPEAKER), seq, data, plan, Py_None, read,
                                            NULL);
    if (PyObject_SetAttr(words, name_seq, seq) || PyObject_SetAttr(words, name_standing, data)
        || PyObject_SetAttr(words, name_event, Py_None))
        return NULL;
    return Py_NewRef(words);
}

/* The entry of a frame that its router's may become, now that it may say `one`; NULL with an exception. */
static PyObject *
entry_of(PyObject *before, PyObject *one, PyObject *head, const Frame *frame, PyObject *table, PyObject *steady,
         PyObject *fresh)
{
    PyObject *words = NULL, *waiting = NULL, *entry = NULL, *kept = NULL, *watched = PyTuple_GET_ITEM(before, WATCHED);
    PyObject *now = place_of(steady, PyTuple_GET_ITEM(one, SPEAKER));
    PyObject *data = PyBytes_FromStringAndSize((const char *)frame->octets, frame->size);
    PyObject *seq = PyLong_FromLongLong(frame->seq), *read = PyTuple_GET_ITEM(table, READ);
    if (now != NULL && data != NULL && seq != NULL && (words = words_of(before, one, data, seq, read)) != NULL
        && (waiting = PyObject_GetAttr(words, name_waits)) != NULL
        && (kept = PyTuple_Pack(3, seq, PyTuple_GET_ITEM(table, WHERE), data)) != NULL
        && (entry = PyTuple_Pack(ENTRY, data, words, now, data, seq, waiting, watched)) != NULL
        && (PyList_SetItem(now, 0, Py_NewRef(data)) || known_put((Known *)PyTuple_GET_ITEM(table, KNOWN), head, entry)
            || PyList_Append(fresh, kept)))
        Py_CLEAR(entry);
    Py_XDECREF(data);
    Py_XDECREF(seq);
    Py_XDECREF(words);
    Py_XDECREF(waiting);
    Py_XDECREF(kept);
    return entry;
}

/* The same if it may, as repeats.py has it; NULL, perhaps with an exception, if not. */
static PyObject *
recounted(PyObject *before, PyObject *head, const Frame *frame, PyObject *table, PyObject *steady, PyObject *plans,
          PyObject *fresh)
{
    PyObject *watched = PyTuple_GET_ITEM(before, WATCHED);
    Py_ssize_t place = 0, count = PyTuple_GET_ITEM(table, READ) == Py_None ? 0 : PyList_GET_SIZE(watched);
    uint32_t lifetime_s = 0;
    while (place < count && (lifetime_s = soonest(PyList_GET_ITEM(watched, place), frame->octets, frame->size)) == 0)
        place++;
    if (lifetime_s == 0)
        return NULL;
    PyObject *one = Py_NewRef(PyList_GET_ITEM(watched, place)), *entry = NULL;
    PyObject *present = PyDict_GetItemWithError(plans, PyTuple_GET_ITEM(one, SPEAKER));
    if (present == PyTuple_GET_ITEM(one, PLAN)
            ? lasts(PyTuple_GET_ITEM(one, LEEWAY), frame->instant, lifetime_s)
            : !PyErr_Occurred() && turns(before, one, place, lifetime_s, frame, table, plans))
        entry = entry_of(before, one, head, frame, table, steady, fresh);
    Py_DECREF(one);
    return entry;
}

static void
put_row(Gathered *gathered, int64_t like, int64_t instant)
{
    gathered->likes[gathered->row] = like;
    gathered->ats[gathered->row] = instant;
    gathered->packets[gathered->row] = ++gathered->number;
    gathered->row++;
}

/* Gather a frame of an entry's words: they wait, since when, and as which record. Returns 1; -1 with an exception. */
static int
gather(Gathered *gathered, const Frame *frame, int64_t like, PyObject *waits, PyObject *entry)
{
    int64_t last[2];
    if (PyByteArray_GET_SIZE(waits) != sizeof last) {
        PyErr_SetString(PyExc_TypeError, "what waits is an instant and a record");
        return -1;
    }
    memcpy(last, PyByteArray_AS_STRING(waits), sizeof last);
    if (last[1] == 0 && PyList_Append(gathered->said, PyTuple_GET_ITEM(entry, WORDS)))
        return -1;
    last[0] = frame->instant;
    last[1] = frame->seq;
    memcpy(PyByteArray_AS_STRING(waits), last, sizeof last);
    put_row(gathered, like, frame->instant);
    return 1;
}

/* Gather a frame that is found at once, and stands. 0: it is no such one. */
static int
again(const Known *known, const Frame *frame, Gathered *gathered)
{
    const Place *place = frame->size < ICMPV6_AT ? NULL : place_with(known, hash_of(frame->octets));
    if (place == NULL || place->size != frame->size || memcmp(place->octets, frame->octets, frame->size)
        || !holds(place->stands, place->standing))
        return 0;
    return gather(gathered, frame, place->like, place->waits, place->entry);
}

/* The same of any other RA that may be taken. */
static int
looked_up(const Known *known, const Frame *frame, PyObject *table, PyObject *steady, PyObject *plans, PyObject *fresh,
          Gathered *gathered)
{
    const Py_ssize_t size = frame->size < ICMPV6_AT ? frame->size : ICMPV6_AT;
    PyObject *head = PyBytes_FromStringAndSize((const char *)frame->octets, size);
    PyObject *found = head == NULL ? NULL : Py_XNewRef(PyDict_GetItemWithError(known->entries, head));
    if (found != NULL && !(is_of(found, frame) && stands(found))) {
        PyObject *before = found;
        found = recounted(before, head, frame, table, steady, plans, fresh);
        Py_DECREF(before);
    }
    Py_XDECREF(head);
    if (found == NULL)
        return PyErr_Occurred() ? -1 : 0;
    const int64_t like = PyLong_AsLongLong(PyTuple_GET_ITEM(found, LIKE));
    const int taken = gather(gathered, frame, like, PyTuple_GET_ITEM(found, WAITS), found);
    Py_DECREF(found);
    return taken;
}

/* Whether a frame goes to a DHCPv4 port, behind plain headers. */
static int
is_dhcp4(const Frame *frame)
{
    const uint8_t *at = frame->octets;
    return frame->size >= 38 && at[12] == 8 && at[13] == 0 && at[14] == 0x45 && at[23] == 17 && at[36] == 0
           && (at[37] == 67 || at[37] == 68);
}

/* Gather such a frame, if it may be: as how many records it counts, 0 if not; -1 with an exception. */
static Py_ssize_t
unread(const Frame *frame, PyObject *table, Py_ssize_t room, Gathered *gathered)
{
    PyObject *ask = PyTuple_GET_ITEM(table, UNREAD);
    if (ask == Py_None)
        return 0;
    PyObject *said = PyObject_CallFunction(ask, "y#LLn", (const char *)frame->octets, frame->size,
                                           (long long)frame->instant, (long long)frame->seq, room);
    const Py_ssize_t records = said == NULL ? -1 : PyLong_AsSsize_t(said);
    Py_XDECREF(said);
    if (PyErr_Occurred() || records < 1)
        return PyErr_Occurred() ? -1 : 0;
    put_row(gathered, frame->seq, frame->instant);
    return records;
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
    Gathered gathered = {likes.buf, ats.buf, packets.buf, number, row, said};
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
        Known *known = (Known *)PyTuple_GET_ITEM(table, KNOWN);
        const int64_t unit = PyLong_AsLongLong(PyTuple_GET_ITEM(table, UNIT));
        const int64_t offset = PyLong_AsLongLong(PyTuple_GET_ITEM(table, OFFSET));
        int64_t instant;
        if (head)
            instant = word(here, big) * INT64_C(1000000000) + word(here + 4, big) * unit;
        else
            instant = instant_of((uint64_t)word(here + 12, big) << 32 | word(here + 16, big), unit, offset);
        if (!Py_IS_TYPE(known, &known_type))
            PyErr_SetString(PyExc_TypeError, "what is known stands in a Known");
        if (PyErr_Occurred() || instant < first || instant >= before)
            break;
        const Frame frame = {here + start, (Py_ssize_t)caplen, instant, seq};
        Py_ssize_t taken = is_dhcp4(&frame) ? 0 : again(known, &frame, &gathered);
        if (taken == 0) {
            Py_INCREF(table); /* Python may run */
            taken = is_dhcp4(&frame) ? unread(&frame, table, room, &gathered)
                                     : looked_up(known, &frame, table, steady, plans, fresh, &gathered);
            Py_DECREF(table);
        }
        if (taken <= 0)
            break;
        first = instant;
        last = at;
        at += (Py_ssize_t)length;
        seq++;
        room -= taken;
    }
    PyBuffer_Release(&window);
    PyBuffer_Release(&likes);
    PyBuffer_Release(&ats);
    PyBuffer_Release(&packets);
    return PyErr_Occurred() ? NULL : Py_BuildValue("nnnn", at, last, gathered.row, room);
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
    if (words_type == NULL || PyModule_AddType(module, &known_type))
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

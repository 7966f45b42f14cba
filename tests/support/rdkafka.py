"""librdkafka for tests, through ctypes: create topics, produce, read back.

Partition, offset and timestamp of each message are the test's to choose and
to see, and payloads are bytes with nothing between them and the broker: that
is what the oracle needs and what no command-line tool gives.
"""

import ctypes as c
import time

_lib = c.CDLL("librdkafka.so.1")

_PRODUCER, _CONSUMER = 0, 1
_VTYPE_TOPIC, _VTYPE_PARTITION, _VTYPE_VALUE = 1, 3, 4
_VTYPE_KEY, _VTYPE_MSGFLAGS, _VTYPE_TIMESTAMP = 5, 7, 8
_MSG_F_COPY = 2
_ADMIN_OP_CREATETOPICS = 1
_ADMIN_OP_DELETETOPICS = 2
_ERR_QUEUE_FULL = -184
_ERR_PARTITION_EOF = -191
_ERR_TOPIC_EXISTS = 36


class _Mem(c.Structure):
    _fields_ = [("ptr", c.c_char_p), ("size", c.c_size_t)]


class _VuUnion(c.Union):
    _fields_ = [("cstr", c.c_char_p), ("i", c.c_int), ("i32", c.c_int32),
                ("i64", c.c_int64), ("mem", _Mem), ("pad", c.c_char * 64)]


class _Vu(c.Structure):
    _fields_ = [("vtype", c.c_int), ("u", _VuUnion)]


class _Message(c.Structure):
    _fields_ = [("err", c.c_int), ("rkt", c.c_void_p),
                ("partition", c.c_int32), ("payload", c.c_void_p),
                ("len", c.c_size_t), ("key", c.c_void_p),
                ("key_len", c.c_size_t), ("offset", c.c_int64),
                ("private", c.c_void_p)]


class _MetadataPartition(c.Structure):
    _fields_ = [("id", c.c_int32), ("err", c.c_int), ("leader", c.c_int32),
                ("replica_cnt", c.c_int), ("replicas", c.c_void_p),
                ("isr_cnt", c.c_int), ("isrs", c.c_void_p)]


class _MetadataTopic(c.Structure):
    _fields_ = [("topic", c.c_char_p), ("partition_cnt", c.c_int),
                ("partitions", c.POINTER(_MetadataPartition)),
                ("err", c.c_int)]


class _Metadata(c.Structure):
    _fields_ = [("broker_cnt", c.c_int), ("brokers", c.c_void_p),
                ("topic_cnt", c.c_int), ("topics", c.POINTER(_MetadataTopic)),
                ("orig_broker_id", c.c_int32),
                ("orig_broker_name", c.c_char_p)]


_DELIVERED = c.CFUNCTYPE(None, c.c_void_p, c.POINTER(_Message), c.c_void_p)


def _declare(name, result, *args):
    function = getattr(_lib, name)
    function.restype = result
    function.argtypes = args
    return function


_p = c.c_void_p
_conf_new = _declare("rd_kafka_conf_new", _p)
_conf_set = _declare("rd_kafka_conf_set", c.c_int, _p, c.c_char_p, c.c_char_p,
                     c.c_char_p, c.c_size_t)
_conf_dr = _declare("rd_kafka_conf_set_dr_msg_cb", None, _p, _DELIVERED)
_new = _declare("rd_kafka_new", _p, c.c_int, _p, c.c_char_p, c.c_size_t)
_destroy = _declare("rd_kafka_destroy", None, _p)
_produceva = _declare("rd_kafka_produceva", _p, _p, c.POINTER(_Vu),
                      c.c_size_t)
_error_code = _declare("rd_kafka_error_code", c.c_int, _p)
_error_string = _declare("rd_kafka_error_string", c.c_char_p, _p)
_error_destroy = _declare("rd_kafka_error_destroy", None, _p)
_err2str = _declare("rd_kafka_err2str", c.c_char_p, c.c_int)
_poll = _declare("rd_kafka_poll", c.c_int, _p, c.c_int)
_flush = _declare("rd_kafka_flush", c.c_int, _p, c.c_int)
_metadata = _declare("rd_kafka_metadata", c.c_int, _p, c.c_int, _p,
                     c.POINTER(c.POINTER(_Metadata)), c.c_int)
_metadata_destroy = _declare("rd_kafka_metadata_destroy", None, _p)
_watermarks = _declare("rd_kafka_query_watermark_offsets", c.c_int, _p,
                       c.c_char_p, c.c_int32, c.POINTER(c.c_int64),
                       c.POINTER(c.c_int64), c.c_int)
_list_new = _declare("rd_kafka_topic_partition_list_new", _p, c.c_int)
_list_add = _declare("rd_kafka_topic_partition_list_add", _p, _p, c.c_char_p,
                     c.c_int32)
_list_set = _declare("rd_kafka_topic_partition_list_set_offset", c.c_int, _p,
                     c.c_char_p, c.c_int32, c.c_int64)
_list_destroy = _declare("rd_kafka_topic_partition_list_destroy", None, _p)
_assign = _declare("rd_kafka_assign", c.c_int, _p, _p)
_consumer_poll = _declare("rd_kafka_consumer_poll", c.POINTER(_Message), _p,
                          c.c_int)
_consumer_close = _declare("rd_kafka_consumer_close", c.c_int, _p)
_poll_set_consumer = _declare("rd_kafka_poll_set_consumer", c.c_int, _p)
_timestamp = _declare("rd_kafka_message_timestamp", c.c_int64,
                      c.POINTER(_Message), _p)
_message_destroy = _declare("rd_kafka_message_destroy", None,
                            c.POINTER(_Message))
_queue_new = _declare("rd_kafka_queue_new", _p, _p)
_queue_poll = _declare("rd_kafka_queue_poll", _p, _p, c.c_int)
_queue_destroy = _declare("rd_kafka_queue_destroy", None, _p)
_new_topic = _declare("rd_kafka_NewTopic_new", _p, c.c_char_p, c.c_int,
                      c.c_int, c.c_char_p, c.c_size_t)
_topic_config = _declare("rd_kafka_NewTopic_set_config", c.c_int, _p,
                         c.c_char_p, c.c_char_p)
_new_topic_destroy = _declare("rd_kafka_NewTopic_destroy", None, _p)
_create_topics = _declare("rd_kafka_CreateTopics", None, _p, c.POINTER(_p),
                          c.c_size_t, _p, _p)
_create_result = _declare("rd_kafka_event_CreateTopics_result", _p, _p)
_create_topics_of = _declare("rd_kafka_CreateTopics_result_topics",
                             c.POINTER(_p), _p, c.POINTER(c.c_size_t))
_new_partitions = _declare("rd_kafka_NewPartitions_new", _p, c.c_char_p,
                           c.c_size_t, c.c_char_p, c.c_size_t)
_new_partitions_destroy = _declare("rd_kafka_NewPartitions_destroy", None, _p)
_create_partitions = _declare("rd_kafka_CreatePartitions", None, _p,
                              c.POINTER(_p), c.c_size_t, _p, _p)
_partitions_result = _declare("rd_kafka_event_CreatePartitions_result", _p,
                              _p)
_partitions_topics = _declare("rd_kafka_CreatePartitions_result_topics",
                              c.POINTER(_p), _p, c.POINTER(c.c_size_t))
_delete_topic = _declare("rd_kafka_DeleteTopic_new", _p, c.c_char_p)
_delete_topic_destroy = _declare("rd_kafka_DeleteTopic_destroy", None, _p)
_delete_topics = _declare("rd_kafka_DeleteTopics", None, _p, c.POINTER(_p),
                          c.c_size_t, _p, _p)
_delete_records_new = _declare("rd_kafka_DeleteRecords_new", _p, _p)
_delete_records_destroy = _declare("rd_kafka_DeleteRecords_destroy", None, _p)
_delete_records = _declare("rd_kafka_DeleteRecords", None, _p, c.POINTER(_p),
                           c.c_size_t, _p, _p)
_acl_new = _declare("rd_kafka_AclBinding_new", _p, c.c_int, c.c_char_p,
                    c.c_int, c.c_char_p, c.c_char_p, c.c_int, c.c_int,
                    c.c_char_p, c.c_size_t)
_acl_destroy = _declare("rd_kafka_AclBinding_destroy", None, _p)
_create_acls = _declare("rd_kafka_CreateAcls", None, _p, c.POINTER(_p),
                        c.c_size_t, _p, _p)
_topic_error = _declare("rd_kafka_topic_result_error", c.c_int, _p)
_topic_name = _declare("rd_kafka_topic_result_name", c.c_char_p, _p)
_event_error = _declare("rd_kafka_event_error", c.c_int, _p)
_event_destroy = _declare("rd_kafka_event_destroy", None, _p)


class KafkaError(Exception):
    pass


def _check(code, what):
    if code:
        raise KafkaError(f"{what}: {_err2str(code).decode()}")


def _open(kind, brokers, options, on_delivery=None):
    settings = {"bootstrap.servers": brokers, "log_level": "0",
                "reconnect.backoff.ms": "50",
                "reconnect.backoff.max.ms": "500", **options}
    conf = _conf_new()
    text = c.create_string_buffer(512)
    for name, value in settings.items():
        if _conf_set(conf, name.encode(), str(value).encode(), text, 512):
            raise KafkaError(text.value.decode())
    if on_delivery:
        _conf_dr(conf, on_delivery)
    handle = _new(kind, conf, text, 512)
    if not handle:
        raise KafkaError(text.value.decode())
    return handle


class Handle:
    def __init__(self, kind, brokers, options, on_delivery=None):
        self._rk = _open(kind, brokers, options, on_delivery)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._rk:
            _destroy(self._rk)
        self._rk = None

    def partitions(self, timeout=5):
        """{topic: number of partitions} as the cluster says."""
        metadata = c.POINTER(_Metadata)()
        _check(_metadata(self._rk, 1, None, c.byref(metadata),
                         int(timeout * 1000)), "metadata")
        try:
            m = metadata.contents
            return {m.topics[i].topic.decode(): m.topics[i].partition_cnt
                    for i in range(m.topic_cnt) if not m.topics[i].err}
        finally:
            _metadata_destroy(metadata)

    def brokers(self, timeout=5):
        """How many the cluster says it has."""
        metadata = c.POINTER(_Metadata)()
        _check(_metadata(self._rk, 1, None, c.byref(metadata),
                         int(timeout * 1000)), "metadata")
        try:
            return metadata.contents.broker_cnt
        finally:
            _metadata_destroy(metadata)

    def offsets(self, topic, partition, timeout=10):
        """(first offset, next offset) of a partition."""
        low, high = c.c_int64(), c.c_int64()
        _check(_watermarks(self._rk, topic.encode(), partition, c.byref(low),
                           c.byref(high), int(timeout * 1000)), "offsets")
        return low.value, high.value


class Producer(Handle):
    """send() what you like, then flush(): it fails unless all arrived."""

    def __init__(self, brokers, **options):
        self.delivered = 0
        self.failed = []
        # Kept, because librdkafka calls it and Python would collect it.
        self._callback = _DELIVERED(self._on_delivery)
        options = {name.replace("_", "."): value
                   for name, value in options.items()}
        super().__init__(_PRODUCER, brokers,
                         {"linger.ms": "5", "message.max.bytes": "20000000",
                          **options}, self._callback)

    def _on_delivery(self, _rk, message, _opaque):
        if message.contents.err:
            self.failed.append(_err2str(message.contents.err).decode())
        else:
            self.delivered += 1

    def send(self, topic, payload, partition=0, key=None, timestamp=None):
        """@payload bytes or None; @timestamp milliseconds since 1970."""
        words = (_Vu * 6)()
        words[0].vtype = _VTYPE_TOPIC
        words[0].u.cstr = topic.encode()
        words[1].vtype = _VTYPE_PARTITION
        words[1].u.i32 = partition
        words[2].vtype = _VTYPE_VALUE
        words[2].u.mem = _Mem(payload, len(payload or b""))
        words[3].vtype = _VTYPE_MSGFLAGS
        words[3].u.i = _MSG_F_COPY
        n = 4
        if key is not None:
            words[n].vtype = _VTYPE_KEY
            words[n].u.mem = _Mem(key, len(key))
            n += 1
        if timestamp is not None:
            words[n].vtype = _VTYPE_TIMESTAMP
            words[n].u.i64 = int(timestamp)
            n += 1
        while True:
            error = _produceva(self._rk, words, n)
            if not error:
                break
            code, text = _error_code(error), _error_string(error).decode()
            _error_destroy(error)
            if code != _ERR_QUEUE_FULL:
                raise KafkaError(text)
            _poll(self._rk, 50)
        _poll(self._rk, 0)

    def flush(self, seconds=60):
        code = _flush(self._rk, int(seconds * 1000))
        _check(code, "flush")
        if self.failed:
            raise KafkaError("not delivered: " + self.failed[0])


def _admin(brokers, start, make, free, names):
    with Handle(_PRODUCER, brokers, {}) as handle:
        queue = _queue_new(handle._rk)
        items = (_p * len(names))(*[make(name) for name in names])
        start(handle._rk, items, len(names), None, queue)
        event = _queue_poll(queue, 30000)
        for item in items:
            free(item)
        if not event:
            raise KafkaError("the broker did not answer")
        try:
            _check(_event_error(event), "admin")
            yield event
        finally:
            _event_destroy(event)
            _queue_destroy(queue)


def create_topics(brokers, topics, **config):
    """@topics: {name: partitions}; @config: max_message_bytes=… and so on."""
    def make(name):
        text = c.create_string_buffer(512)
        topic = _new_topic(name.encode(), topics[name], -1, text, 512)
        if not topic:
            raise KafkaError(text.value.decode())
        for option, value in config.items():
            _topic_config(topic, option.replace("_", ".").encode(),
                          str(value).encode())
        return topic

    for event in _admin(brokers, _create_topics, make, _new_topic_destroy,
                        list(topics)):
        n = c.c_size_t()
        results = _create_topics_of(_create_result(event), c.byref(n))
        for i in range(n.value):
            _check(_topic_error(results[i]),
                   _topic_name(results[i]).decode())
    _await_leaders(brokers, topics)


def create_partitions(brokers, topics):
    """@topics: {name: partitions in all}, more than there are."""
    def make(name):
        text = c.create_string_buffer(512)
        return _new_partitions(name.encode(), topics[name], text, 512)

    for event in _admin(brokers, _create_partitions, make,
                        _new_partitions_destroy, list(topics)):
        n = c.c_size_t()
        results = _partitions_topics(_partitions_result(event), c.byref(n))
        for i in range(n.value):
            _check(_topic_error(results[i]),
                   _topic_name(results[i]).decode())
    _await_leaders(brokers, topics)


def _await_leaders(brokers, topics):
    """A topic is there when each partition has a leader that answers."""
    end = time.monotonic() + 30
    with Handle(_PRODUCER, brokers, {}) as handle:
        for topic, n in topics.items():
            for partition in range(n):
                while True:
                    try:
                        handle.offsets(topic, partition, 2)
                        break
                    except KafkaError:
                        if time.monotonic() > end:
                            raise


def delete_topics(brokers, names):
    def make(name):
        return _delete_topic(name.encode())

    for _ in _admin(brokers, _delete_topics, make, _delete_topic_destroy,
                    list(names)):
        pass


def delete_records(brokers, offsets):
    """As if all below had expired: {(topic, partition): offset}."""
    def make(_):
        partitions = _list_new(len(offsets))
        for (topic, partition), offset in offsets.items():
            _list_add(partitions, topic.encode(), partition)
            _list_set(partitions, topic.encode(), partition, offset)
        made = _delete_records_new(partitions)
        _list_destroy(partitions)
        return made

    for _ in _admin(brokers, _delete_records, make, _delete_records_destroy,
                    [None]):
        pass


_RESOURCES = {"topic": 2, "group": 3}
_OPERATIONS = {"read": 3, "describe": 8}


def grant(brokers, user, rights):
    """@rights: (operation, resource, name) of each, as in
    ("read", "topic", "payments")."""
    def make(right):
        operation, resource, name = right
        return _acl_new(_RESOURCES[resource], name.encode(), 3,
                        b"User:" + user.encode(), b"*",
                        _OPERATIONS[operation], 3, None, 0)

    for _ in _admin(brokers, _create_acls, make, _acl_destroy, rights):
        pass


class Record:
    """One message as the broker keeps it; timestamp in milliseconds."""

    __slots__ = ("topic", "partition", "offset", "timestamp", "key",
                 "payload")

    def __init__(self, topic, partition, offset, timestamp, key, payload):
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.payload = payload


def read_all(brokers, topics, seconds=120):
    """Every record that the named topics hold now, in partition order."""
    with Handle(_CONSUMER, brokers,
                {"group.id": "tests", "enable.auto.commit": "false",
                 "auto.offset.reset": "error",
                 "fetch.message.max.bytes": "20000000"}) as handle:
        have = handle.partitions()
        ends = {}
        for topic in topics:
            for partition in range(have[topic]):
                low, high = handle.offsets(topic, partition)
                if high > low:
                    ends[topic, partition] = (low, high)
        return _read(handle, ends, seconds)


def _read(handle, ends, seconds):
    rk = handle._rk
    _poll_set_consumer(rk)
    assignment = _list_new(len(ends))
    for (topic, partition), (low, _) in ends.items():
        _list_add(assignment, topic.encode(), partition)
        _list_set(assignment, topic.encode(), partition, low)
    _check(_assign(rk, assignment), "assign")
    _list_destroy(assignment)
    topic_name = _declare("rd_kafka_topic_name", c.c_char_p, _p)
    records = {}
    left = dict(ends)
    end = time.monotonic() + seconds
    while left:
        if time.monotonic() > end:
            raise KafkaError(f"could not read {list(left)} to the end")
        message = _consumer_poll(rk, 200)
        if not message:
            continue
        m = message.contents
        if not m.err:
            where = topic_name(m.rkt).decode(), m.partition
            record = Record(
                where[0], m.partition, m.offset, _timestamp(message, None),
                c.string_at(m.key, m.key_len) if m.key else None,
                c.string_at(m.payload, m.len) if m.payload else None)
            records.setdefault(where, []).append(record)
            if where in left and m.offset + 1 >= left[where][1]:
                del left[where]
        _message_destroy(message)
    _consumer_close(rk)
    return [r for where in sorted(records) for r in records[where]]

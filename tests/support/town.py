"""Events of a small town, dense with what the shipped rules look for.

Deterministic by seed. Unlike a plausible city it is all edges: few keys, many
alerts, equal times, sums that hit thresholds exactly, events up to the delay
that the streams allow and beyond it, doubled ones, refunds, periods' ends.
"""

import datetime
import json
import random

ZONE = datetime.timezone(datetime.timedelta(hours=8))
STREAMS = ("budgets", "payments", "cards", "approvals", "orders", "awards",
           "contracts", "parties")
FEWER = ("budgets", "payments", "orders", "awards")  # of tests/e2e/rules


class Item:
    """One record: where it goes, when it happened, when it arrived."""

    __slots__ = ("stream", "partition", "time", "arrival", "payload", "key")

    def __init__(self, stream, partition, time, arrival, payload, key):
        self.stream = stream
        self.partition = partition
        self.time = time
        self.arrival = arrival
        self.payload = payload
        self.key = key


class _Number(float):
    """A number that is written as the digits it was given."""

    def __new__(cls, text):
        self = super().__new__(cls, text)
        self.text = text
        return self

    def __repr__(self):
        return self.text


def money(minor):
    sign = "-" if minor < 0 else ""
    major, rest = divmod(abs(minor), 100)
    return _Number(f"{sign}{major}.{rest:02}" if rest else f"{sign}{major}")


def encode(fields):
    """JSON with money's own digits, which json.dumps would not keep."""
    parts = []
    for name, value in fields.items():
        text = value.text if isinstance(value, _Number) else \
            json.dumps(value, ensure_ascii=False)
        parts.append(f"{json.dumps(name)}:{text}")
    return ("{" + ",".join(parts) + "}").encode()


class Town:
    def __init__(self, seed, months=14, scale=1, partitions=3,
                 streams=STREAMS):
        self.random = random.Random(seed)
        self.months = months
        self.scale = scale
        self.partitions = partitions
        self.streams = streams
        self.items = []
        self._number = 0
        for month in range(months):
            first = datetime.datetime(2025 + month // 12, month % 12 + 1, 1,
                                      tzinfo=ZONE)
            for unit in range(4 * scale):
                self._payments(first, unit)
                if "cards" in streams:
                    self._cards(first, unit)
                    self._registers(first)
            for buyer in range(2 * scale):
                self._orders(first, buyer)
                self._awards(first, buyer)
        self._double()
        self.items.sort(key=lambda i: i.arrival)

    def _id(self, letter):
        self._number += 1
        return f"{letter}{self._number:06}"

    def _when(self, first):
        """Often the same instants: midnights, full hours, ends of months."""
        kind = self.random.random()
        day = self.random.randrange(28)
        if kind < 0.2:
            return first + datetime.timedelta(days=day)
        if kind < 0.25:
            return first - datetime.timedelta(microseconds=1)
        if kind < 0.6:
            return first + datetime.timedelta(days=day, hours=9)
        return first + datetime.timedelta(
            days=day, seconds=self.random.randrange(86400))

    def _text(self, time):
        kind = self.random.random()
        if kind < 0.15 and time.hour == time.minute == time.second == \
                time.microsecond == 0:
            return time.date().isoformat()
        if kind < 0.3:
            utc = time.astimezone(datetime.timezone.utc)
            return utc.isoformat().replace("+00:00", "Z")
        return time.isoformat()

    def _add(self, stream, key, time, time_field, fields):
        fields[time_field] = self._text(time)
        kind = self.random.random()
        if kind < 0.7:
            delay = self.random.randrange(7200)
        elif kind < 0.97:
            delay = self.random.randrange(3 * 86400)
        elif kind < 0.995:
            delay = self.random.randrange(40 * 86400)
        else:  # beyond what ids and rows are kept for
            delay = self.random.randrange(400 * 86400)
        # Python's hash() differs from run to run: sum the bytes instead.
        partition = sum(key.encode()) % self.partitions
        self.items.append(Item(
            stream, partition, time,
            time + datetime.timedelta(seconds=delay), encode(fields),
            key.encode()))

    def _payments(self, first, unit):
        rnd = self.random
        name = f"U-{unit}"
        for number, econ in enumerate(("30201", "30213", "30217", "30305")):
            line = f"L-{unit}-{econ}"
            usual = (unit + 1) * (number + 2) * 5000000
            if first.month == 1:
                self._add("budgets", name, first, "approved_at", {
                    "doc_no": self._id("g"), "line_id": line, "unit": name,
                    "kind": "allocated",
                    "amount": money(usual * rnd.choice((9, 10, 12, 13)))})
            if rnd.random() < 0.15:
                self._add("budgets", name, self._when(first), "approved_at", {
                    "doc_no": self._id("g"), "line_id": line, "unit": name,
                    "kind": "adjusted",
                    "amount": money(usual * rnd.choice((-1, 1, 2)))})
            times = 3 * rnd.choice((1, 1, 1, 2))
            factor = rnd.choice((1, 1, 1, 1, 2, 3, 5))
            for _ in range(times):
                amount = usual * factor // times
                if rnd.random() < 0.5:
                    amount += rnd.randrange(-amount // 5, amount // 5)
                self._payment(self._when(first), name, econ, line, amount)
            if rnd.random() < 0.2:
                self._payment(self._when(first), name, econ, line,
                              -usual * factor // 2)

    def _payment(self, time, unit, econ, line, amount):
        rnd = self.random
        fields = {"voucher_no": self._id("v"), "unit": unit,
                  "econ_class": econ, "budget_line": line, "payee": "市公司",
                  "payee_account": f"62220000{rnd.randrange(5):08}",
                  "amount": money(amount)}
        if rnd.random() < 0.5:
            fields["invoice_no"] = f"INV-{rnd.randrange(3)}"
            if rnd.random() < 0.6:
                fields["amount"] = money(rnd.choice((8640050, 50000000,
                                                     49999999)))
        if rnd.random() < 0.2:
            fields["fund"] = rnd.choice(("F-101", "F-102", "F-103", "F-220",
                                         "F-999"))
        if rnd.random() < 0.3:
            fields["memo"] = rnd.choice((None, "", "款", " 其他 ", "往来款",
                                         "购置设备", "补购置设备", "1月房租",
                                         "2月房租"))
        if rnd.random() < 0.3:
            fields["payee"] = rnd.choice(("张三", "李四"))
            fields["payee_type"] = rnd.choice(("person", "person", "self"))
        if rnd.random() < 0.5:
            fields["method"] = rnd.choice(("transfer", "cash", "card"))
        if rnd.random() < 0.2:
            fields["amount"] = money(100 * rnd.choice(
                (5000, 10000, 20000, 25000, 50000, 50000, 5000000)))
        if rnd.random() < 0.3:
            fields["account_class"] = rnd.choice(("zero_balance", "special"))
            fields["pay_mode"] = rnd.choice(("direct", "authorised"))
        if rnd.random() < 0.05:
            fields["unit"] = f"U-0{rnd.choice((1, 2))}"
            fields["payee_account"] = "990100000000000" + \
                str(rnd.choice((1, 2)))
        if rnd.random() < 0.2:
            fields["contract_no"] = f"C-{rnd.randrange(3)}"
        if rnd.random() < 0.3:
            fields["payee_id"] = f"S-{rnd.randrange(5)}"
        self._add("payments", unit, time, "paid_at", fields)
        if "approvals" in self.streams and rnd.random() < 0.5:
            shift = rnd.choice((-86400, -60, 0, 1, 3600))
            self._add("approvals", unit,
                      time + datetime.timedelta(seconds=shift),
                      "approved_at", {
                          "approval_no": self._id("a"), "unit": unit,
                          "voucher_no": fields["voucher_no"],
                          "result": rnd.choice(("approved", "approved",
                                                "rejected")),
                          "approver": "王五"})

    def _registers(self, first):
        """Contracts and suppliers, as they are signed and written down."""
        rnd = self.random
        self._add("contracts", "C", self._when(first), "signed_at", {
            "doc_no": self._id("c"), "contract_no": f"C-{rnd.randrange(3)}",
            "kind": rnd.choice(("signed", "amended", "closed")),
            "buyer": "U-1", "supplier": "S-1",
            "amount": money(rnd.choice((-1, 1, 5)) * 50000000)})
        fields = {
            "record_no": self._id("r"), "party": f"S-{rnd.randrange(4)}",
            "name": "市公司", "status": rnd.choice(("active", "active",
                                                    "revoked")),
            "founded": (first - datetime.timedelta(
                days=rnd.choice((0, 179, 180, 364, 365, 2000)))
            ).date().isoformat()}
        if rnd.random() < 0.3:
            fields["debarred_from"] = first.date().isoformat()
            if rnd.random() < 0.5:
                fields["debarred_until"] = (
                    first + datetime.timedelta(days=40)).date().isoformat()
        self._add("parties", "S", self._when(first), "updated_at", fields)

    def _cards(self, first, unit):
        """Half of them on a day and at a merchant of an earlier one."""
        rnd = self.random
        times = []
        for _ in range(4):
            time = self._when(first)
            if times and rnd.random() < 0.5:
                time = rnd.choice(times)
            times.append(time)
            self._add("cards", f"U-{unit}", time, "spent_at", {
                "txn_no": self._id("t"), "card": f"6200{unit:012}",
                "holder": "张三", "unit": f"U-{unit}",
                "merchant": f"M-{rnd.randrange(2)}",
                "amount": money(rnd.choice((-100, 1, 500000, 1000000, 1999999,
                                            2000000, 2000001)))})

    def _orders(self, first, buyer):
        rnd = self.random
        for _ in range(8):
            category = rnd.choice(("A01", "B02", "C03"))
            limit = 400000000 if category == "B02" else \
                rnd.choice((200000000, 250000000))
            amount = limit * rnd.choice((5, 30, 50, 79, 80, 95, 100)) // 100
            amount -= rnd.choice((0, 0, 1))
            self._add("orders", f"B-{buyer}", self._when(first),
                      "ordered_at", {
                          "order_no": self._id("o"), "buyer": f"B-{buyer}",
                          "supplier": f"S-{rnd.randrange(2)}",
                          "category": category,
                          "region": rnd.choice(("9901", "990102", "1101")),
                          "method": rnd.choice(("direct", "single_source",
                                                "direct", "open")),
                          "amount": money(amount)})

    def _awards(self, first, buyer):
        rnd = self.random
        for _ in range(3):
            self._add("awards", f"B-{buyer}", self._when(first),
                      "decided_at", {
                          "award_no": self._id("w"), "buyer": f"B-{buyer}",
                          "category": rnd.choice(("A01", "A01", "A02")),
                          "supplier": rnd.choice(("S-0", "S-0", "S-0",
                                                  "S-1", "S-2")),
                          "bidders": rnd.choice((2, 3, 3, 4, 6)),
                          "amount": money(rnd.randrange(10 ** 6, 10 ** 9))})

    def _double(self):
        """One in forty arrives twice."""
        for item in list(self.items):
            if self.random.random() < 0.025:
                again = Item(*(getattr(item, n) for n in Item.__slots__))
                again.arrival += datetime.timedelta(
                    seconds=self.random.randrange(86400))
                self.items.append(again)

    def encode_as(self, stream, encoding, broken=0):
        """Another encoding than UTF-8; one in @broken breaks it."""
        of = [item for item in self.items if item.stream == stream]
        for number, item in enumerate(of, 1):
            item.payload = item.payload.decode().encode(encoding)
            if broken and number % broken == 0:
                item.payload = item.payload[:1] + b"\xff" + item.payload[1:]

    def as_rows(self, stream, columns):
        """CSV without a header instead of JSON."""
        for item in self.items:
            if item.stream == stream:
                fields = json.loads(item.payload, parse_float=str,
                                    parse_int=str)
                cells = [fields.get(name) or "" for name in columns]
                item.payload = ",".join(
                    '"' + cell.replace('"', '""') + '"'
                    if set(cell) & set('",\n') else cell
                    for cell in cells).encode()

    def write_files(self, folder):
        """A file of JSON lines per stream; {stream: path}."""
        paths = {}
        for stream in self.streams:
            paths[stream] = f"{folder}/{stream}.jsonl"
            with open(paths[stream], "wb") as file:
                for item in self.items:
                    if item.stream == stream:
                        file.write(item.payload + b"\n")
        return paths

    def produce(self, producer, prefix, begin=0, end=None):
        """Sends the items from @begin to @end in their order of arrival."""
        for item in self.items[begin:end]:
            producer.send(prefix + item.stream, item.payload, item.partition,
                          item.key, int(item.arrival.timestamp() * 1000))
        producer.flush()

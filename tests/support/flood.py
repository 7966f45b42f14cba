"""Payments that name more keys than a rule may keep."""

import random
from datetime import datetime, timezone

from support.town import Item

RULES = """
apiversion: 1
package: limits
calendars:
  cn: {tz: Asia/Shanghai}
streams:
  pays:
    topic: fin.pays
    time: at
    max_delay: 1h
    fields:
      unit: string
      payee: string
      amount: money(CNY)
      at: timestamp
rules:
- rule: often
  title: {zh: 多次付款, en: Paid often}
  status: live
  from: pays
  by: [unit, payee]
  window: 3650d
  measure: {cnt: count(), total: sum(amount)}
  alert_if: cnt >= 3 || total > 2500
  level: {red: total > 5000, yellow: "true"}
  cooldown: 2h
- rule: unusual
  title: {zh: 金额异常, en: Unlike what others get}
  status: live
  from: pays
  baseline: {usual: {of: amount, over: 3650d, peers: [unit], exclude_same: [payee]}}
  alert_if: usual.z(amount) > 1000.0
"""
KEYS = 40  # that a rule may keep


def payments(seed, n):
    """Some units pay a few over and over; one pays whoever it can think of,
    now and then three times."""
    rand = random.Random(seed)
    at = 1750000000
    for number in range(n):
        at += rand.randrange(60)
        unit = f"U-{rand.randrange(6)}"
        payee = f"P-{rand.randrange(12)}"
        if rand.random() < 0.5:
            unit, payee = "F", f"X-{rand.randrange(number // 3 + 1)}"
        for _ in range(3 if rand.random() < 0.1 else 1):
            when = datetime.fromtimestamp(at - rand.randrange(1800),
                                          timezone.utc)
            yield (f'{{"unit":"{unit}","payee":"{payee}","amount":'
                   f'{rand.randrange(3000)}.5,"at":"{when.isoformat()}"}}'
                   ).encode()


class Flood:
    """The same as a Town's items."""

    def __init__(self, seed, n=3000, partitions=3):
        self.items = [
            Item("pays", number % partitions, None, None, payload, None)
            for number, payload in enumerate(payments(seed, n))]

    def produce(self, producer, prefix, begin=0, end=None):
        for item in self.items[begin:end]:
            producer.send(prefix + item.stream, item.payload, item.partition,
                          timestamp=1750000000000)
        producer.flush()

"""The journal's order, as `tocsin state journal` prints it, for the oracle."""


import os


class Steps:
    """Lines of the journal beside the records they speak of; @state is the
    folder that has the texts of tables and lists."""

    def __init__(self, lines, records, state=None):
        self._state = state
        self.header = lines[0]["header"]
        self.lines = lines[1:]
        self._records = {}
        for record in records:
            where = record.topic, record.partition, record.offset
            self._records[where] = record
        self.taken = 0  # records handed to the oracle
        self.seam = None  # the line of the seam decision, once met

    def feed(self, oracle):
        """Hands everything to the oracle in the journal's order."""
        for content in self.header["contents"]:
            self._see(oracle, content)
        for line in self.lines:
            if "run" in line:
                self._feed_run(oracle, line["run"])
            elif line.get("decision") == "seam":
                self.seam = line
                oracle.seam(line)
            elif "decision" in line:
                if line["decision"] == "content":
                    self._see(oracle, line)
                oracle.decision(line["decision"], **{
                    name: value for name, value in line.items()
                    if name not in ("decision", "ordinal")})

    def _see(self, oracle, content):
        path = os.path.join(self._state, "archive", "content",
                            content["sha256"])
        with open(path, encoding="utf-8") as file:
            oracle.package.see(content["name"], file.read())

    def _feed_run(self, oracle, run):
        count = 0
        for offset in range(run["first"], run["next"]):
            record = self._records.get((run["topic"], run["partition"],
                                        offset))
            if record is not None:
                oracle.record(record, run["poll_time"])
                count += 1
        if count != run["count"]:
            raise AssertionError(f"the journal counts {run['count']} "
                                 f"records, the topic holds {count}: {run}")
        self.taken += count

    def end_offsets(self):
        """{(topic, partition): next offset}"""
        out = {}
        for line in self.lines:
            if "run" in line:
                run = line["run"]
                out[run["topic"], run["partition"]] = run["next"]
        return out

"""Real Kafka (KRaft, one node or several) from Maven Central.

The jars are fetched once into ${XDG_CACHE_HOME:-~/.cache}/tocsin and used
again. A broker lives in one folder, listens on ports that were free, and is
ready when it answers a request for metadata.
"""

import base64
import os
import shutil
import subprocess
import tempfile
import uuid

from support.process import free_port, wait_for
from support.rdkafka import Handle, KafkaError, _PRODUCER

VERSION = "3.8.0"

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tocsin</groupId>
  <artifactId>broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-reload4j</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""

_LOG = """log4j.rootLogger=WARN, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d %p %c: %m%n
"""

# Without a limit of retention: records of a test carry the time of the
# simulated arrival, which is long past what a broker keeps.
_PROPERTIES = """process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={folder}/data
default.replication.factor={factor}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={factor}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor={factor}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
message.max.bytes=20000000
replica.fetch.max.bytes=20000000
num.network.threads=2
num.io.threads=2
log.retention.ms=-1
"""

# A test waits for what follows a death, so it shall follow soon: who is dead is
# noticed, who is back gets its partitions again.
_HASTE = """broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=3000
leader.imbalance.check.interval.seconds=2
leader.imbalance.per.broker.percentage=0
"""


# A second listener, for users with a password and the rights they are granted;
# whoever comes through the first may do everything.
_GUARDED = """authorizer.class.name=org.apache.kafka.metadata.authorizer.\
StandardAuthorizer
super.users=User:ANONYMOUS
sasl.enabled.mechanisms=PLAIN
listener.name.guarded.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required \
{users};
"""


def _cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "tocsin")


def jars():
    """The folder of the broker's jars; fetches them if they are not there.

    The folder gets its name only when it is complete, so a fetch that was
    interrupted is made again and two at once do not mix.
    """
    folder = os.path.join(_cache(), "kafka-" + VERSION)
    if os.path.isdir(folder):
        return folder
    os.makedirs(_cache(), exist_ok=True)
    print(f"fetching Kafka {VERSION} from Maven Central", flush=True)
    work = tempfile.mkdtemp(dir=_cache())
    try:
        with open(os.path.join(work, "pom.xml"), "w") as file:
            file.write(_POM)
        got = subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies",
             "-DoutputDirectory=" + os.path.join(work, "jars")],
            cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        if got.returncode:
            raise AssertionError("mvn failed:\n" + got.stdout[-3000:])
        try:
            os.rename(os.path.join(work, "jars"), folder)
        except OSError:
            if not os.path.isdir(folder):
                raise
        return folder
    finally:
        shutil.rmtree(work)


def _new_cluster_id():
    # One in 64 would begin with a hyphen and be taken for an option.
    made = b"A" + base64.urlsafe_b64encode(uuid.uuid4().bytes)[1:]
    return made.decode().rstrip("=")


class Broker:
    """@users {name: password}: whoever comes to the address `guarded`.

    @of, if it is one of several: the Cluster.
    """

    def __init__(self, children, folder, name="kafka", users=None, node=1,
                 of=None):
        self._children = children
        self._name = name
        self._node = node
        self._of = of
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.port = free_port()
        self.controller = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.guarded = f"127.0.0.1:{free_port()}"
        self._users = users
        self.child = None
        if not of:
            self.format([self], _new_cluster_id())

    def _java(self, *args):
        # One compiler tier and one collector thread: a broker of a test
        # lives for a minute on a machine with two cores.
        return ["java", "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1", "-Xshare:auto",
                f"-Dlog4j.configuration=file:{self.folder}/log4j.properties",
                "-cp", jars() + "/*", *args]

    def format(self, nodes, cluster):
        with open(os.path.join(self.folder, "log4j.properties"), "w") as file:
            file.write(_LOG)
        self._config = os.path.join(self.folder, "server.properties")
        with open(self._config, "w") as file:
            file.write(self._properties(nodes))
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", "format", "-t",
                       cluster, "-c", self._config),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise AssertionError("formatting failed:\n" + done.stdout)

    def _properties(self, nodes):
        text = _PROPERTIES.format(
            port=self.port, controller=self.controller, folder=self.folder,
            node=self._node, factor=len(nodes), in_sync=(len(nodes) + 1) // 2,
            voters=",".join(f"{n._node}@127.0.0.1:{n.controller}"
                            for n in nodes))
        if self._of:
            text += _HASTE
        if not self._users:
            return text
        more = f",GUARDED://{self.guarded}"
        return "".join(
            line + {"listeners": more, "advertised.listeners": more,
                    "listener.security.protocol.map":
                    ",GUARDED:SASL_PLAINTEXT"}.get(line.split("=")[0], "")
            + "\n" for line in text.splitlines()) + _GUARDED.format(
                users=" ".join(f'user_{name}="{password}"' for name, password
                               in self._users.items()))

    def launch(self):
        self.child = self._children.start(
            self._name, self._java("kafka.Kafka", self._config))

    def start(self):
        self.launch()
        wait_for(self._answers, 60,
                 lambda: "the broker answers\n" + self.child.tail())
        return self

    def _answers(self):
        if not self.child.running():
            raise AssertionError("the broker ended:\n" + self.child.tail())
        try:
            with Handle(_PRODUCER, self.address, {}) as handle:
                handle.partitions(1)
            return True
        except KafkaError:
            return False

    def stop(self):
        self.child.stop(30)

    def kill(self):
        self.child.kill()


class Cluster:
    """Nodes that keep everything three times and need two to write."""

    def __init__(self, children, folder, n=3):
        self.nodes = [
            Broker(children, os.path.join(folder, f"kafka-{i}"), f"kafka-{i}",
                   node=i, of=self) for i in range(1, n + 1)]
        cluster = _new_cluster_id()
        for node in self.nodes:
            node.format(self.nodes, cluster)
        self.address = ",".join(node.address for node in self.nodes)

    def start(self):
        for node in self.nodes:
            node.launch()
        wait_for(self.complete, 120, lambda: "all brokers are there\n"
                 + "\n".join(node.child.tail(5) for node in self.nodes))
        return self

    def complete(self):
        for node in self.nodes:
            if not node.child.running():
                raise AssertionError("a broker ended:\n" + node.child.tail())
        try:
            with Handle(_PRODUCER, self.address, {}) as handle:
                return handle.brokers() == len(self.nodes)
        except KafkaError:
            return False

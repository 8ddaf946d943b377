# Types the lines of five introductions to Kafka (containers left out) from the checkout's root and compares what is printed. usage: sh tests/tutorial.sh FOLDER PYTHON, in a network
# and mount namespace of its own.
set -eu
tmp=$1 python=$2
root=$(pwd)
PATH=$root/bin:$PATH

ip link set lo up
{ cat /etc/hosts; echo "127.0.0.11 broker1"; echo "127.0.0.12 broker2"; echo "127.0.0.13 broker3"; } >"$tmp/hosts"
mount --bind "$tmp/hosts" /etc/hosts

fail() { echo "FAILED: $*" >&2; exit 1; }
# expect PATTERN COMMAND...: the command's output has a line that matches the extended pattern.
expect() {
    pattern=$1
    shift
    echo "\$ $*"
    "$@" >"$tmp/out" 2>&1 </dev/null || fail "exit $? of: $*: $(cat "$tmp/out")"
    [ -z "$pattern" ] || grep -Eq -- "$pattern" "$tmp/out" || fail "no '$pattern' in: $(cat "$tmp/out")"
}
# refuse PATTERN COMMAND...: the same of a command that fails.
refuse() {
    pattern=$1
    shift
    echo "\$ $*"
    if "$@" >"$tmp/out" 2>&1 </dev/null; then fail "no failure: $*"; fi
    [ -z "$pattern" ] || grep -Eq -- "$pattern" "$tmp/out" || fail "no '$pattern' in: $(cat "$tmp/out")"
}
# send LINES COMMAND...
send() {
    lines=$1
    shift
    echo "\$ $*"
    printf "$lines" | "$@" || fail "exit $? of: $*"
}

# A cluster of its own folder; otherwise as the README says.
expect '3 brokers ready' scripts/cluster --dir "$tmp/cluster" up

# Topics
expect '^Created topic email.send\.$' bin/kafka-topics.sh --bootstrap-server localhost:9092 --create --topic email.send
grep -q '^WARNING: Due to limitations in metric names' "$tmp/out" || fail "no warning about the period"
expect '^email.send$' bin/kafka-topics.sh --bootstrap-server localhost:9092 --list
expect 'Topic: email.send.*PartitionCount: 1' bin/kafka-topics.sh --bootstrap-server localhost:9092 --describe --topic email.send
grep -Eq 'Leader: [123].*Replicas: [123],[123],[123].*Isr: [123],[123],[123]' "$tmp/out" || fail "$(cat "$tmp/out")"
expect '' bin/kafka-topics.sh --bootstrap-server localhost:9092 --delete --topic email.send
expect '^$' bin/kafka-topics.sh --bootstrap-server localhost:9092 --list
expect '^Created topic quickstart-events\.$' bin/kafka-topics.sh --create --partitions 1 --replication-factor 1 --topic quickstart-events --bootstrap-server localhost:9092
expect '^Created topic my-topic\.$' kafka-topics --create --topic my-topic --bootstrap-server localhost:9092 --partitions 3 --replication-factor 1
expect '^my-topic$' kafka-topics --list --bootstrap-server localhost:9092

# Messages. Topics are made on first use.
send 'hello1\nhello2\nhello3\n' bin/kafka-console-producer.sh --bootstrap-server localhost:9092 --topic email.send
expect '^hello3$' bin/kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic email.send --from-beginning --timeout-ms 2000
[ "$(grep -c '^hello' "$tmp/out")" = 3 ] || fail "$(cat "$tmp/out")"
send 'event 1\n' bin/kafka-console-producer.sh --topic quickstart-events --bootstrap-server localhost:9092
send 'test 1\n' kafka-console-producer --topic test-topic --bootstrap-server localhost:9092
expect '^test 1$' kafka-console-consumer --topic test-topic --from-beginning --bootstrap-server localhost:9092 --max-messages 1
expect 'Topic: test-topic' kafka-topics --describe --topic test-topic --bootstrap-server localhost:9092

# A consumer that waits sees what comes later; ctrl-c ends it.
bin/kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic email.send --from-beginning >"$tmp/waiting" 2>&1 &
consumer=$!
await() {
    n=0
    until grep -q "$1" "$2"; do
        n=$((n + 1))
        [ $n -lt 300 ] || fail "no '$1' in: $(cat "$2")"
        sleep 0.1
    done
}
await hello3 "$tmp/waiting"
send 'later\n' bin/kafka-console-producer.sh --bootstrap-server localhost:9092 --topic email.send
await later "$tmp/waiting"
kill -TERM $consumer
wait $consumer || true

# A group goes on where it stopped.
expect '^later$' bin/kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic email.send --from-beginning --group email-send-group --timeout-ms 3000
expect '^email-send-group$' bin/kafka-consumer-groups.sh --bootstrap-server localhost:9092 --list
expect '^email-send-group +email\.send +0 +4 +4 +0 ' bin/kafka-consumer-groups.sh --bootstrap-server localhost:9092 --group email-send-group --describe
send 'behind\n' bin/kafka-console-producer.sh --bootstrap-server localhost:9092 --topic email.send
expect '^email-send-group +email\.send +0 +4 +5 +1 ' bin/kafka-consumer-groups.sh --bootstrap-server localhost:9092 --group email-send-group --describe
expect '^behind$' bin/kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic email.send --from-beginning --group email-send-group --timeout-ms 3000
[ "$(grep -c '^hello' "$tmp/out")" = 0 ] || fail "read again: $(cat "$tmp/out")"

# Clients
expect '^ok$' "$python" tests/python/tutorial.py
expect '^ok$' node tests/node/tutorial.mjs

# A node is lost, seen, and comes back.
expect 'node 3 killed' scripts/cluster --dir "$tmp/cluster" kill 3
expect '^3 +down .*fenced' scripts/cluster --dir "$tmp/cluster" status
expect '^hello3$' bin/kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic email.send --from-beginning --timeout-ms 2000
expect 'node 3 is ready' scripts/cluster --dir "$tmp/cluster" start 3
refuse 'Replication factor|replication factor' bin/kafka-topics.sh --bootstrap-server localhost:9092 --create --topic wide --replication-factor 4
expect '3 nodes stopped' scripts/cluster --dir "$tmp/cluster" down

# Starting, in the style of 3.0
mkdir "$tmp/kafka"
ln -s "$root/bin" "$tmp/kafka/bin"
cd "$tmp/kafka"
expect 'no ZooKeeper' bin/zookeeper-server-start.sh config/zookeeper.properties
bin/kafka-server-start.sh config/server.properties >"$tmp/server" 2>&1 &
server=$!
await started "$tmp/server"
expect '^Created topic alone\.$' bin/kafka-topics.sh --bootstrap-server localhost:9092 --create --topic alone
refuse 'only 1 broker' bin/kafka-topics.sh --bootstrap-server localhost:9092 --create --topic three --partitions 1 --replication-factor 3
bin/kafka-server-stop.sh
wait $server || fail "the server ended with $?: $(cat "$tmp/server")"

# Three brokers, names in the hosts file
voters=1@broker1:9093,2@broker2:9093,3@broker3:9093
for id in 1 2 3; do
    cat >"$tmp/broker$id.properties" <<END
process.roles=broker,controller
node.id=$id
listeners=PLAINTEXT://broker$id:9092,CONTROLLER://broker$id:9093
controller.listener.names=CONTROLLER
controller.quorum.voters=$voters
log.dirs=$tmp/broker$id
END
    bin/kafka-server-start.sh "$tmp/broker$id.properties" >"$tmp/broker$id.log" 2>&1 &
done
for id in 1 2 3; do await started "$tmp/broker$id.log"; done
n=0
until kafka-topics.sh --bootstrap-server broker1:9092,broker2:9092,broker3:9092 --create --topic encore-test --partitions 1 --replication-factor 3 >"$tmp/out" 2>&1; do
    n=$((n + 1))
    [ $n -lt 100 ] || fail "$(cat "$tmp/out")"
done
grep -q '^Created topic encore-test\.$' "$tmp/out" || fail "$(cat "$tmp/out")"
expect 'ReplicationFactor: 3' kafka-topics.sh --bootstrap-server broker1:9092,broker2:9092,broker3:9092 --describe --topic encore-test
expect '^Created topic first-app2\.$' kafka-topics.sh --bootstrap-server broker1:9092 --create --topic first-app2 --partitions 3 --replication-factor 3 --config segment.bytes=1073741824
expect 'PartitionCount: 3.*ReplicationFactor: 3.*Configs: .*segment.bytes=1073741824' kafka-topics.sh --bootstrap-server broker3:9092 --describe --topic first-app2
for leader in 1 2 3; do
    grep -Eq "Partition: [012].*Leader: $leader.*Replicas: $leader,.*Isr: $leader," "$tmp/out" || fail "$(cat "$tmp/out")"
done
send 'hello\n' kafka-console-producer.sh --broker-list broker1:9092,broker2:9092,broker3:9092 --topic encore-test
expect '^hello$' kafka-console-consumer.sh --bootstrap-server broker1:9092,broker2:9092,broker3:9092 --topic encore-test --from-beginning --max-messages 1
bin/kafka-server-stop.sh
wait
echo "all lines work"

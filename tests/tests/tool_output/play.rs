//! A cluster like the recorded one, and command lines run against it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ottla_client::admin::{AlterOperation, ConfigResource, ResourceType};
use ottla_client::{Admin, Client};
use ottla_tests::{Node, Output, free_ports_below_10000, quick, root, run_within, tool, wait};
use tempfile::TempDir;

use crate::notes::Step;
use crate::recording::class;

/// The recorded nodes' folder, the parent of their log directories, and the folder of scratch files.
const RECORDED_DIR: &str = "/var/lib/kafka";
/// The recorded ports: brokers, then controllers.
const RECORDED_PORTS: [&str; 6] = ["9092", "9093", "9094", "9192", "9193", "9194"];

/// A tool that runs longer is killed, which is a difference.
const PATIENCE: Duration = Duration::from_secs(90);

/// Three nodes with both roles.
pub(crate) struct Stage {
    nodes: Vec<Node>,
    ports: Vec<String>,
    /// Recorded topic ids, and ours in their place.
    ids: Vec<(String, String)>,
    dir: TempDir,
    runtime: tokio::runtime::Runtime,
    /// Tools that run beside the others.
    spawned: Vec<Child>,
    /// Jars of Apache Kafka, if its own tools are to be run.
    jars: Option<String>,
}

impl Stage {
    pub(crate) fn start(settings: &[(String, String)]) -> Self {
        // One after the other, so that no two choose the same ports.
        static STARTING: Mutex<()> = Mutex::new(());
        let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let ports: Vec<String> =
            free_ports_below_10000(6).into_iter().map(|port| port.to_string()).collect();
        let dir = tempfile::Builder::new().prefix("ottla-tools-").tempdir().expect("a folder");
        let nodes = (1..=3).map(|id| node(id, &ports, dir.path(), settings)).collect();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let jars = std::env::var("KAFKA_JARS").ok();
        let mut stage =
            Self { nodes, ports, ids: Vec::new(), dir, runtime, spawned: Vec::new(), jars };
        for id in 1..=3 {
            stage.node(id).start();
        }
        stage.wait_for(&[1, 2, 3]);
        stage.be_as_recorded();
        // Described once in the recordings and used everywhere.
        stage.file("short.properties", "request.timeout.ms=2000\ndefault.api.timeout.ms=3000\n");
        stage
    }

    /// Kafka 4.3 writes this default when its eligible leader replicas are on, and shows it everywhere.
    fn be_as_recorded(&self) {
        let address = format!("127.0.0.1:{}", self.ports[0]);
        self.runtime.block_on(async {
            let client = Client::connect(&address, quick()).await.expect("a broker");
            let brokers = ConfigResource { kind: ResourceType::Broker, name: String::new() };
            let set = AlterOperation::Set("min.insync.replicas".to_owned(), "1".to_owned());
            let admin = Admin::new(client);
            let outcome = admin.incremental_alter_configs(&brokers, &[set], false).await;
            outcome.expect("answered").expect("taken");
        });
    }

    fn node(&mut self, id: i32) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.id() == id).expect("one of three")
    }

    /// Until every started broker knows exactly these as live.
    fn wait_for(&mut self, live: &[i32]) {
        for node in self.nodes.iter_mut().filter(|node| node.is_started()) {
            let address = format!("127.0.0.1:{}", node.port());
            self.runtime.block_on(wait::until(&format!("{address} sees {live:?}"), async || {
                node.assert_alive();
                let client = Client::connect(&address, quick()).await.map_err(|e| e.to_string())?;
                let cluster = Admin::new(client).describe_cluster(false).await;
                let cluster = cluster.map_err(|error| error.to_string())?;
                let mut seen: Vec<_> = cluster.nodes.iter().map(|node| node.id).collect();
                seen.sort_unstable();
                wait::check(seen == live, format!("{seen:?}"))
            }));
        }
    }

    fn started(&self) -> Vec<i32> {
        self.nodes.iter().filter(|node| node.is_started()).map(Node::id).collect()
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::File(name, content) => self.file(name, content),
            Step::Run(line, stdin) => {
                let output = self.ours(line, stdin);
                assert!(output.status.success(), "{line}: {}\n{}", output.out, output.err);
            }
            Step::Spawn(line) => {
                let mut command = self.our_tool(line);
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                let child = command.spawn();
                self.spawned.push(child.expect("a tool in the background"));
            }
            Step::Kill(id) => {
                self.node(*id).kill();
                let live = self.started();
                self.wait_for(&live);
            }
            Step::Crash(id) => self.node(*id).kill(),
            Step::Start(id) => {
                self.node(*id).start();
                let live = self.started();
                self.wait_for(&live);
            }
            Step::Id(recorded, topic) => {
                let line = format!(
                    "kafka-topics --bootstrap-server localhost:9092 --describe --topic {topic}"
                );
                let output = self.ours(&line, "");
                let id =
                    output.out.split("TopicId: ").nth(1).and_then(|rest| rest.split('\t').next());
                let id = id.unwrap_or_else(|| panic!("no id of {topic}: {}", output.out));
                self.ids.push((recorded.clone(), id.to_owned()));
            }
            Step::Until(line, text) => {
                self.runtime.block_on(wait::until(&format!("{line} says {text}"), async || {
                    let output = self.ours(line, "");
                    wait::check(output.out.contains(text), output.out)
                }));
            }
        }
    }

    pub(crate) fn file(&self, name: &str, content: &str) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().expect("in the folder")).expect("a folder");
        fs::write(path, self.to_ours(content)).expect("a scratch file");
    }

    /// Runs a recorded line with our tool, or with Kafka's if there are jars.
    pub(crate) fn play(&self, line: &str, stdin: &str) -> Output {
        let Some(jars) = &self.jars else { return self.ours(line, stdin) };
        let words = words(&self.to_ours(line));
        let recording = format!("tests/tool-output/{}.txt", words[0].trim_end_matches(".sh"));
        let recording = fs::read_to_string(root().join(recording)).expect("the tool's recording");
        let mut command = Command::new("java");
        let log = "-Dorg.slf4j.simpleLogger";
        command.args(["-XX:TieredStopAtLevel=1", "-Xshare:auto"]);
        command
            .args([format!("{log}.defaultLogLevel=warn"), format!("{log}.showThreadName=false")]);
        command.args(["-cp", &format!("{jars}/*"), class(&recording)]);
        command.args(&words[1..]);
        self.run(command, stdin)
    }

    /// Whether it is Kafka's own tools that are run.
    pub(crate) fn is_kafka(&self) -> bool {
        self.jars.is_some()
    }

    fn ours(&self, line: &str, stdin: &str) -> Output {
        self.run(self.our_tool(line), stdin)
    }

    fn our_tool(&self, line: &str) -> Command {
        let words = words(&self.to_ours(line));
        let mut command = tool(words[0].trim_end_matches(".sh"));
        command.args(&words[1..]);
        command
    }

    fn run(&self, mut command: Command, stdin: &str) -> Output {
        let mut output = run_within(command.current_dir(self.dir.path()), stdin, PATIENCE);
        output.out = self.to_recorded(&output.out);
        output.err = self.to_recorded(&output.err);
        output
    }

    fn to_ours(&self, text: &str) -> String {
        let mut text = text.replace(RECORDED_DIR, &self.dir.path().display().to_string());
        for (recorded, ours) in &self.ids {
            text = text.replace(recorded, ours);
        }
        replaced(&text, |word| {
            let place = RECORDED_PORTS.iter().position(|port| *port == word)?;
            Some(self.ports[place].as_str())
        })
    }

    fn to_recorded(&self, text: &str) -> String {
        let text = text.replace(&self.dir.path().display().to_string(), RECORDED_DIR);
        replaced(&text, |word| {
            let place = self.ports.iter().position(|port| port == word)?;
            Some(RECORDED_PORTS[place])
        })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in &mut self.spawned {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The text with some of its numbers replaced.
fn replaced<'a>(text: &str, by: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, number_and_rest) = rest.split_at(start);
        let end = number_and_rest.find(|letter: char| !letter.is_ascii_digit());
        let (number, after) = number_and_rest.split_at(end.unwrap_or(number_and_rest.len()));
        done += before;
        done += by(number).unwrap_or(number);
        rest = after;
    }
    done + rest
}

fn node(id: i32, ports: &[String], dir: &Path, settings: &[(String, String)]) -> Node {
    let place = usize::try_from(id - 1).expect("from 1");
    let voters: Vec<_> =
        (1..=3).map(|voter| format!("{voter}@127.0.0.1:{}", ports[2 + voter])).collect();
    let mut text = format!(
        "process.roles=broker,controller\nnode.id={id}\n\
         listeners=PLAINTEXT://127.0.0.1:{},CONTROLLER://127.0.0.1:{}\n\
         controller.listener.names=CONTROLLER\ncontroller.quorum.voters={}\nlog.dirs={}\n\
         num.partitions=4\ndefault.replication.factor=1\noffsets.topic.replication.factor=3\n\
         group.initial.rebalance.delay.ms=0\n",
        ports[place],
        ports[place + 3],
        voters.join(","),
        dir.join(id.to_string()).display()
    );
    for (key, value) in settings {
        text += &format!("{key}={value}\n");
    }
    let port = ports[place].parse().expect("a port");
    Node::new(id, &dir.join(format!("node-{id}")), port, &text)
}

/// The words of a command line, quotes taken off.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (letter, quote) {
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (letter, Some(open)) if letter == open => quote = None,
            (' ', None) => words.extend(word.take()),
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

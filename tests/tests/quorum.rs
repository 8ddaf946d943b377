//! The controller quorum grows and shrinks under acks=all load while controllers die: as a user of Kafka's
//! `kafka-metadata-quorum` does it.

use ottla_client::Admin;
use ottla_client::admin::{Quorum, QuorumReplica};
use ottla_tests::{Cluster, Ledger, Node, Output, free_ports, run, tool, wait};

const TOPIC: &str = "through-it-all";

/// Three nodes with both roles, and controllers that come later.
struct Growing {
    cluster: Cluster,
    admin: Admin,
    /// By their ids.
    later: Vec<Node>,
}

impl Growing {
    async fn start() -> Self {
        let cluster = Cluster::three().await;
        let admin = cluster.admin().await;
        Self { cluster, admin, later: Vec::new() }
    }

    fn tool(&self, name: &str, args: &[&str]) -> Output {
        let bootstrap = self.cluster.bootstrap();
        run(tool(name).args(["--bootstrap-server", &bootstrap]).args(args), "")
    }

    async fn quorum(&self) -> Result<Quorum, String> {
        self.admin.describe_quorum().await.map_err(|error| error.to_string())
    }

    async fn until(&self, what: &str, holds: impl Fn(&Quorum) -> bool) -> Quorum {
        wait::until(what, async || {
            let quorum = self.quorum().await?;
            wait::check(holds(&quorum), quorum).map_err(|quorum| format!("{quorum:?}"))
        })
        .await
    }

    /// Starts a controller that knows the first ones only, and waits until it follows them.
    async fn start_controller(&mut self, id: i32) {
        let quorum = self.until("a quorum", |quorum| quorum.voters.len() >= 3).await;
        let endpoints = quorum.voters.iter().flat_map(|voter| &voter.endpoints);
        let servers: Vec<String> = endpoints.map(|at| at.address.to_string()).collect();
        let port = free_ports(1)[0];
        let dir = self.cluster.dir().join(id.to_string());
        let properties = format!(
            "process.roles=controller\nnode.id={id}\nlisteners=CONTROLLER://localhost:{port}\n\
             controller.listener.names=CONTROLLER\ncontroller.quorum.bootstrap.servers={}\n\
             log.dirs={}\n",
            servers.join(","),
            dir.join("data").display()
        );
        let mut node = Node::new(id, &dir, port, &properties);
        node.start();
        self.later.push(node);
        self.until(&format!("observer {id}"), |quorum| ids(&quorum.observers).contains(&id)).await;
    }

    fn add(&self, id: i32) -> Output {
        let node = self.later.iter().find(|node| node.id() == id).expect("started");
        let file = node.dir().join("server.properties");
        let file = file.to_str().expect("a path of text");
        self.tool("kafka-metadata-quorum", &["--command-config", file, "add-controller"])
    }

    async fn remove(&self, id: i32) {
        let quorum = self.until("its directory", |quorum| directory(quorum, id).is_some()).await;
        let directory = directory(&quorum, id).expect("just seen");
        let id_text = id.to_string();
        let args = [
            "remove-controller",
            "--controller-id",
            &id_text,
            "--controller-directory-id",
            &directory,
        ];
        let said = self.tool("kafka-metadata-quorum", &args).success().out;
        let expected = format!("Removed  KRaft controller {id} with directory id {directory}\n");
        assert_eq!(said, expected);
        self.until(&format!("{id} has no vote"), |quorum| !ids(&quorum.voters).contains(&id)).await;
    }
}

fn ids(replicas: &[QuorumReplica]) -> Vec<i32> {
    let mut ids: Vec<i32> = replicas.iter().map(|replica| replica.id).collect();
    ids.sort_unstable();
    ids
}

fn directory(quorum: &Quorum, id: i32) -> Option<String> {
    let voter = quorum.voters.iter().find(|voter| voter.id == id)?;
    let directory = voter.directory_id.to_string();
    (directory != "AAAAAAAAAAAAAAAAAAAAAA").then_some(directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn three_controllers_become_five_and_three_again_and_nothing_is_lost() {
    let mut growing = Growing::start().await;
    let create = ["--create", "--topic", TOPIC, "--partitions", "3", "--replication-factor", "3"];
    let _ = growing.tool("kafka-topics", &create).success();
    let mut ledger = Ledger::start(&growing.cluster.bootstrap(), TOPIC, &[]);

    growing.start_controller(104).await;
    let refused = growing.add(104).failure();
    let fixed = "Cluster doesn't support adding voter because the kraft.version feature is 0";
    assert!(refused.err.contains(fixed), "{}", refused.err);
    let upgrade = ["upgrade", "--feature", "kraft.version=1"];
    let _ = growing.tool("kafka-features", &upgrade).success();
    let added = growing.add(104).success().out;
    assert!(added.starts_with("Added controller 104 with directory id "), "{added}");
    growing.until("four voters", |quorum| ids(&quorum.voters) == [1, 2, 3, 104]).await;

    // The active controller dies, which is a broker too; then the fifth comes.
    let active = growing.cluster.active_controller().await;
    let victim = if active == 104 { 1 } else { active };
    growing.cluster.node(victim).kill();
    ledger.wait_for_more(100);
    growing.start_controller(105).await;
    let _ = growing.add(105).success();
    growing.cluster.node(victim).start();
    growing.until("five voters", |quorum| ids(&quorum.voters) == [1, 2, 3, 104, 105]).await;

    growing.remove(1).await;
    growing.remove(2).await;
    let quorum = growing.until("three voters", |quorum| ids(&quorum.voters) == [3, 104, 105]).await;
    assert_eq!(quorum.voters.len(), 3);
    // Each of the three counts: one of the new ones may die.
    let late = growing.later.iter_mut().find(|node| node.id() == 104).expect("started");
    late.kill();
    ledger.wait_for_more(100);
    let create = ["--create", "--topic", "after-it", "--replication-factor", "3"];
    let _ = growing.tool("kafka-topics", &create).success();
    ledger.finish().assert_nothing_lost();
}

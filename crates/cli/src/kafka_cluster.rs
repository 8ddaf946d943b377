//! `kafka-cluster`: the cluster's id, where its brokers listen, and the end of a broker's registration.

use std::ffi::OsString;
use std::process::ExitCode;

use ottla_client::admin::ClusterNode;
use ottla_client::{Admin, ClientError, ClientOptions};
use ottla_protocol::ids::BrokerId;

use crate::argparse::{self, Arg, Given, Group, Kind, Parser, arg};
use crate::console::{self, print, say};
use crate::exceptions::Failure;
use crate::properties::{self, Properties};
use crate::session;
use crate::thrown::{self, Thrown};

const CONNECTION: &[Group] =
    &[Group { title: "", description: "", exclusive: true, required: true }];
const SERVER: Arg = arg(
    &["--bootstrap-server", "-b"],
    Kind::Text,
    "BOOTSTRAP_SERVER",
    "Where the cluster is: a list of host:port.",
)
.in_group(0);
const CONTROLLER: Arg = arg(
    &["--bootstrap-controller", "-C"],
    Kind::Text,
    "BOOTSTRAP_CONTROLLER",
    "Where the controllers are: a list of host:port.",
)
.in_group(0);
const CONFIG: Arg =
    arg(&["--config"], Kind::Text, "CONFIG", "(DEPRECATED) Use --command-config instead.");
const COMMAND_CONFIG: Arg =
    arg(&["--command-config", "-c"], Kind::Text, "COMMAND_CONFIG", "Properties of the client.");
const ID: Arg = arg(&["--id", "-i"], Kind::Integer, "ID", "The broker to unregister.").required();
const FENCED: Arg = arg(
    &["--include-fenced-brokers"],
    Kind::Flag,
    "",
    "Also brokers that are registered but not alive.",
);

pub(crate) const TOOL: &Parser = &Parser {
    name: "kafka-cluster",
    description: "The Kafka cluster tool.",
    args: &[],
    groups: &[],
    commands: &[
        Parser {
            name: "cluster-id",
            description: "Get information about the ID of a cluster.",
            args: &[SERVER, CONTROLLER, CONFIG, COMMAND_CONFIG],
            groups: CONNECTION,
            commands: &[],
        },
        Parser {
            name: "unregister",
            description: "Unregister a broker.",
            args: &[SERVER, CONTROLLER, CONFIG, COMMAND_CONFIG, ID],
            groups: CONNECTION,
            commands: &[],
        },
        Parser {
            name: "list-endpoints",
            description: "List endpoints",
            args: &[SERVER, CONTROLLER, CONFIG, COMMAND_CONFIG, FENCED],
            groups: CONNECTION,
            commands: &[],
        },
    ],
};

const OLD_CONFIG: &str = "Option --config has been deprecated and will be removed in a future \
                          version. Use --command-config instead.";

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let given = match argparse::parse(TOOL, &args) {
        Ok(given) => given,
        Err(refusal) => {
            refusal.print();
            let helped = matches!(refusal, argparse::Refusal::Help(_));
            return if helped { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
    };
    session::run_or(run(&given), Thrown::caught)
}

async fn run(given: &Given) -> Result<(), Thrown> {
    let properties = properties(given)?;
    let fenced = given.has("--include-fenced-brokers");
    let controllers = given.one("--bootstrap-controller");
    if fenced && controllers.is_some() {
        let message = "The option --include-fenced-brokers is only supported with \
                       --bootstrap-server option";
        return Err(Failure::illegal_argument(message).into());
    }
    let bootstrap = controllers.or_else(|| given.one("--bootstrap-server")).unwrap_or_default();
    let options = thrown::options("adminclient-1", &properties)?;
    let options = ClientOptions { bootstrap_controllers: controllers.is_some(), ..options };
    let who = format!("AdminClient clientId={}", options.client_id);
    let client = session::connect(bootstrap, options, &who).await;
    let admin = Admin::new(client.map_err(|error| Thrown::unreached(&error, "listNodes"))?);
    match given.command() {
        Some("unregister") => {
            let id = given.number("--id").unwrap_or(-1);
            return unregister(&admin, id, &who).await;
        }
        Some("list-endpoints") => {
            let cluster = admin.describe_cluster(fenced).await;
            let nodes = cluster.map_err(|error| unanswered(&error, "listNodes"))?.nodes;
            print(&endpoints(&nodes, controllers.is_some()));
        }
        _ => {
            let cluster = admin.describe_cluster(false).await;
            let cluster = cluster.map_err(|error| unanswered(&error, "listNodes"))?;
            say(&format!("Cluster ID: {}", cluster.id));
        }
    }
    Ok(())
}

fn properties(given: &Given) -> Result<Properties, Thrown> {
    let path = match (given.one("--config"), given.one("--command-config")) {
        (Some(_), Some(_)) => {
            let message = "--config and --command-config cannot be specified together.";
            let class = "net.sourceforge.argparse4j.inf.ArgumentParserException";
            return Err(Failure::new(class, message).into());
        }
        (Some(path), None) => {
            say(OLD_CONFIG);
            Some(path)
        }
        (None, path) => path,
    };
    Ok(properties::read(path)?)
}

fn unanswered(error: &ClientError, call: &str) -> Thrown {
    Thrown::execution(Failure::of_client(error, call))
}

async fn unregister(admin: &Admin, id: BrokerId, who: &str) -> Result<(), Thrown> {
    match admin.unregister_broker(id).await {
        Ok(()) => {
            say(&format!("Broker {id} is no longer registered."));
            Ok(())
        }
        Err(ClientError::Unsupported { .. }) => {
            say("The target cluster does not support the broker unregistration API.");
            Ok(())
        }
        Err(error) => {
            if let ClientError::Api(error) = &error {
                console::log(
                    "ERROR",
                    &format!(
                        "[{who}] Unregister broker request for broker ID {id} failed: {error}"
                    ),
                    "org.apache.kafka.clients.admin.KafkaAdminClient",
                );
            }
            Err(unanswered(&error, "unregisterBroker"))
        }
    }
}

/// The table of brokers, or of controllers.
fn endpoints(nodes: &[ClusterNode], are_controllers: bool) -> String {
    let longest = |texts: &mut dyn Iterator<Item = usize>, without: usize| {
        texts.max().filter(|length| *length > 0).unwrap_or(without)
    };
    let host = longest(&mut nodes.iter().map(|node| node.address.host.chars().count()), 100);
    let racks = nodes.iter().filter_map(|node| node.rack.as_ref());
    let rack = longest(&mut racks.map(|rack| rack.chars().count()), 10);
    let row = |id: &str, at: &str, port: &str, in_rack: &str, state: &str, kind: &str| {
        let state = if are_controllers { String::new() } else { format!("{state:<10} ") };
        format!("{id:<10} {at:<host$} {port:<10} {in_rack:<rack$} {state}{kind:<15}\n")
    };
    let mut table = row("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE");
    for node in nodes {
        table += &row(
            &node.id.to_string(),
            &node.address.host,
            &node.address.port.to_string(),
            node.rack.as_deref().unwrap_or("null"),
            if node.fenced { "fenced" } else { "unfenced" },
            if are_controllers { "controller" } else { "broker" },
        );
    }
    table
}

#[cfg(test)]
mod tests;

//! `ottla server`: one node, from its settings to its last flush.
//!
//! The controller, and the broker's link to the controllers, run on a runtime of their own: whatever
//! the data path waits for, heartbeats go out.

mod log_lines;
mod settings;

use std::panic::PanicHookInfo;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use ottla_broker::{
    Broker, BrokerHandle, BrokerOptions, ControllerServer, ControllerServerOptions, LogLevels,
    metadata_directory_id,
};
use ottla_config::NodeConfig;
use ottla_metadata_controller::{Controller, ControllerHandle, ControllerOptions};
use ottla_protocol::ids::KafkaUuid;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, setsid};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{debug, error, info};

/// Threads for consensus, sessions and the metadata feed: one may wait for a disk, the other goes on.
const CONTROL_THREADS: usize = 2;
/// Connections of clients that wait for the controller's listener to take them.
const CLIENTS_ACCEPTED: usize = 64;
/// What still runs when everything has been shut down in order is cut off after this.
const LEFTOVERS: Duration = Duration::from_millis(200);
/// Exit code after a second signal, as a shell reports an interrupted program.
const INTERRUPTED: i32 = 130;

/// Runs one node: a broker, a controller, or both.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// A server.properties; settings in KAFKA_* variables of the environment go before it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A setting that goes before both.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Leave the terminal: signals meant for it do not reach the node.
    #[arg(long, hide = true)]
    detach: bool,
}

impl Args {
    pub(crate) fn new(config: Option<PathBuf>, settings: Vec<String>) -> Self {
        Self { config, settings, detach: false }
    }
}

/// Runs until a signal or a fault ends it.
pub(crate) fn run(args: Args) -> Result<()> {
    if args.detach {
        // Fails only where there is no terminal to leave.
        let _ = setsid();
    }
    let (config, notices) = settings::load(args.config.as_deref(), &args.settings)?;
    for notice in notices {
        say!("{notice}");
    }
    let log_levels = Arc::new(log_lines::to_stdout());
    std::panic::set_hook(Box::new(log_panic));
    raise_file_limit();
    let control = runtime("control", Some(CONTROL_THREADS))?;
    let data = runtime("data", None)?;
    let outcome = control.block_on(serve(config, log_levels, &control, &data));
    data.shutdown_timeout(LEFTOVERS);
    control.shutdown_timeout(LEFTOVERS);
    outcome
}

async fn serve(
    config: NodeConfig,
    log_levels: Arc<LogLevels>,
    control: &Runtime,
    data: &Runtime,
) -> Result<()> {
    let begun = Instant::now();
    let mut signals = Signals::new()?;
    let incarnation_id = KafkaUuid::from_bytes(rand::random());
    let config = Arc::new(config);
    let (control, data) = (control.handle().clone(), data.handle().clone());
    let controller = match config.roles.controller {
        true => {
            let (clients, connections) = mpsc::channel(CLIENTS_ACCEPTED);
            let options = settings::controller_options(&config, incarnation_id);
            let directory_id = metadata_directory_id(&config)?;
            let options = ControllerOptions { clients: Some(clients), directory_id, ..options };
            let controller = Controller::start(options).await?;
            let options = ControllerServerOptions {
                config: Arc::clone(&config),
                log_levels: Arc::clone(&log_levels),
                connections,
                images: controller.images(),
                quorum: Arc::new(controller.quorum()),
                control: control.clone(),
                data: data.clone(),
            };
            Some((controller, ControllerServer::start(options).await?))
        }
        false => None,
    };
    let broker = match config.roles.broker {
        true => {
            let options = BrokerOptions { config, incarnation_id, log_levels, control, data };
            Some(Broker::start(options).await?)
        }
        false => None,
    };
    let node = Node { controller, broker };
    let signal = tokio::select! {
        signal = signals.next() => signal,
        error = node.fault() => return Err(error),
        () = node.ready() => {
            info!("started in {} ms", begun.elapsed().as_millis());
            tokio::select! {
                signal = signals.next() => signal,
                error = node.fault() => return Err(error),
            }
        }
    };
    info!("{signal}: shutting down in order; a second signal ends at once");
    tokio::select! {
        () = node.shut_down() => info!("stopped"),
        signal = signals.next() => {
            info!("{signal} again: ending at once");
            process::exit(INTERRUPTED);
        }
    }
    Ok(())
}

/// What runs here.
struct Node {
    /// With what serves its clients.
    controller: Option<(ControllerHandle, ControllerServer)>,
    broker: Option<BrokerHandle>,
}

impl Node {
    /// Completes when the broker is unfenced; at once without a broker.
    async fn ready(&self) {
        if let Some(broker) = &self.broker {
            broker.ready().await;
        }
    }

    /// Completes when one of its parts cannot go on.
    async fn fault(&self) -> anyhow::Error {
        let broker = async {
            match &self.broker {
                Some(broker) => anyhow!(broker.failed().await),
                None => std::future::pending().await,
            }
        };
        let controller = async {
            match &self.controller {
                Some((controller, _)) => controller.failed().await.into(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            error = broker => error,
            error = controller => error,
        }
    }

    /// The broker first: it hands over its leaderships through the controllers.
    async fn shut_down(self) {
        if let Some(broker) = self.broker {
            broker.shutdown().await;
        }
        if let Some((controller, clients)) = self.controller {
            clients.stop().await;
            controller.shutdown().await;
        }
    }
}

/// The signals that mean "stop".
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn runtime(name: &str, threads: Option<usize>) -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    builder
        .thread_name(name)
        .enable_all()
        .build()
        .with_context(|| format!("starting the {name} runtime"))
}

/// A panic in one line. Those of the message decoder are caught where it is called and mean no more
/// than a malformed request.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let reason = panic.payload_as_str().unwrap_or("no reason given");
    if place.contains("kafka-protocol") {
        debug!("malformed request, said at {place}: {reason}");
    } else {
        error!("panic at {place}: {reason}");
    }
}

/// A broker holds files and connections by the thousand; the soft limit of a shell is far lower than
/// what the system grants.
fn raise_file_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Not granted: then the soft limit stays, and running into it is logged where it happens.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

//! A tool's runtime and its client.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use ottla_client::{
    BootstrapError, Client, ClientError, ClientOptions, parse_bootstrap, unresolved,
};
use ottla_protocol::ErrorCode;
use ottla_protocol::api::ApiKey;

use crate::console;
use crate::exceptions::Failure;

/// A tool says that it is still trying when nobody has answered for this long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs a tool's future on a runtime of its own.
pub(crate) fn run(tool: impl Future<Output = ExitCode>) -> ExitCode {
    run_boxed(Box::pin(tool))
}

/// Knows no type of future: the runtime's code is compiled once, not for each tool.
fn run_boxed(tool: Pin<Box<dyn Future<Output = ExitCode> + '_>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            console::complain(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(tool);
    // A read of stdin that is still blocked must not keep the process.
    runtime.shutdown_background();
    code
}

/// Runs a tool that succeeds or fails; `fail` says how it failed and gives the exit code.
pub(crate) fn run_or<E>(
    tool: impl Future<Output = Result<(), E>>,
    fail: impl FnOnce(&E) -> ExitCode,
) -> ExitCode {
    run(async {
        match tool.await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        }
    })
}

/// A client that has not yet spoken to anybody. Hosts that cannot be resolved are said on stderr; that none
/// can is an error at once, as with Kafka's clients.
pub(crate) async fn client(bootstrap: &str, options: ClientOptions) -> Result<Client, ClientError> {
    let servers = parse_bootstrap(bootstrap)?;
    let unresolved = unresolved(&servers).await;
    for server in &unresolved {
        let message = format!(
            "Couldn't resolve server {server} from bootstrap.servers as DNS resolution failed for {}",
            server.host
        );
        console::log("WARN", &message, "org.apache.kafka.clients.ClientUtils");
    }
    if unresolved.len() == servers.len() {
        return Err(BootstrapError::Unresolvable.into());
    }
    Client::new(bootstrap, options)
}

/// A client that has reached the cluster; says so on stderr while it has not.
pub(crate) async fn connect(
    bootstrap: &str,
    options: ClientOptions,
    who: &str,
) -> Result<Client, ClientError> {
    let client = client(bootstrap, options).await?;
    let connected = {
        let connecting = client.refresh();
        tokio::pin!(connecting);
        tokio::select! {
            connected = &mut connecting => connected,
            () = tokio::time::sleep(PATIENCE) => {
                warn_unreachable(bootstrap, who);
                connecting.await
            }
        }
    };
    match connected {
        Ok(_) => Ok(client),
        Err(error) => {
            warn_mistaken(&error, who);
            Err(error)
        }
    }
}

/// What Kafka's client logs when it has turned to a broker as a controller, or the other way round.
fn warn_mistaken(error: &ClientError, who: &str) {
    let others = match error {
        ClientError::Unsupported { api: ApiKey::Metadata, .. } => {
            Some("The remote node is not a BROKER that supports the METADATA api.")
        }
        ClientError::Api(error) if error.error_code() == ErrorCode::MismatchedEndpointType => None,
        ClientError::Api(error) if error.error_code() == ErrorCode::UnsupportedEndpointType => {
            Some(
                "The remote node is not a CONTROLLER that supports the KIP-919 DESCRIBE_CLUSTER api.",
            )
        }
        _ => return,
    };
    let thrown = Failure::of_client(error, "").thrown();
    for message in std::iter::once("Fatal error during metadata update").chain(others) {
        console::log(
            "WARN",
            &format!("[{who}] {message}"),
            "org.apache.kafka.clients.admin.internals.AdminMetadataManager",
        );
        console::complain(&thrown);
    }
}

/// The line that tells a user why nothing happens.
pub(crate) fn warn_unreachable(bootstrap: &str, who: &str) {
    console::log(
        "WARN",
        &format!(
            "[{who}] Connection to node -1 ({bootstrap}) could not be established. Node may not be \
             available."
        ),
        "org.apache.kafka.clients.NetworkClient",
    );
}

/// Whether the error is about the bootstrap servers as written.
pub(crate) fn bootstrap_error(error: &ClientError) -> Option<&BootstrapError> {
    match error {
        ClientError::Bootstrap(error) => Some(error),
        _ => None,
    }
}

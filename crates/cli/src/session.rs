//! A tool's runtime and its client.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use ottla_client::{BootstrapError, Client, ClientError, ClientOptions};

use crate::console;

/// A tool says that it is still trying when nobody has answered for this long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs a tool's future on a runtime of its own.
pub(crate) fn run(tool: impl Future<Output = ExitCode>) -> ExitCode {
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

/// A client that has reached the cluster; says so on stderr while it has not.
pub(crate) async fn connect(
    bootstrap: &str,
    options: ClientOptions,
    who: &str,
) -> Result<Client, ClientError> {
    let connecting = Client::connect(bootstrap, options);
    tokio::pin!(connecting);
    tokio::select! {
        result = &mut connecting => return result,
        () = tokio::time::sleep(PATIENCE) => {}
    }
    warn_unreachable(bootstrap, who);
    connecting.await
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

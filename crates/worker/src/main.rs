//! `ambit-engine`: a worker process. Started by the control plane with a [`WorkerConfig`] on its standard input, it
//! serves the engine protocol on a Unix socket until that input ends. It reads no environment variable and no
//! configuration file.

mod sandbox;
mod server;

use std::fs::Permissions;
use std::io::{BufRead, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use ambit_engine::{Endpoints, Engine, EngineConfig};
use ambit_protocol::{WorkerConfig, WorkerReady};
use tokio::net::UnixListener;
use tokio::runtime::{Builder, Runtime};

/// A deep plan recurses: DataFusion's own default of 2 MiB overflows on a few KiB of SQL.
const QUERY_STACK_BYTES: usize = 16 * 1024 * 1024;
/// Threads for file work.
const BLOCKING_THREADS_MAX: usize = 32;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--catalog") {
        return print_catalog();
    }
    std::panic::set_hook(Box::new(|panic| {
        // The message of a panic may hold values of rows: only its place is told.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tell("error", &format!("a session panicked at {place}"));
    }));
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell("fatal", &error);
            ExitCode::FAILURE
        }
    }
}

fn print_catalog() -> ExitCode {
    match serde_json::to_string_pretty(&Engine::catalog()) {
        Ok(catalog) => {
            println!("{catalog}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tell("fatal", &error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Bind, seal, serve: after the sandbox is in force nothing outside the configuration can be opened.
fn work() -> Result<(), String> {
    let config = read_config()?;
    let listener = bind(&config.socket)?;
    sweep(config.spill_folder.as_deref())?;
    let statm = std::fs::File::open("/proc/self/statm").ok();
    let endpoints = Endpoints::new(&config.endpoints).map_err(|error| error.to_string())?;
    let ports = endpoints.ports();
    let files = sandbox::restrict_files(&config, &ports);
    let limits = sandbox::limit(&config);
    let queries = runtime(config.threads as usize, "query")?;
    let protocol = runtime(1, "protocol")?;
    let calls = sandbox::restrict_calls(!ports.is_empty());
    let sandbox = ambit_protocol::Sandbox {
        landlock: files,
        seccomp: calls,
        rlimits: limits,
    };

    let engine = Engine::new(EngineConfig {
        memory_bytes: config.memory_bytes,
        spill_folder: config.spill_folder.as_ref().map(PathBuf::from),
        spill_bytes: config.spill_bytes,
        templates_max: config.templates_max as usize,
        endpoints: Arc::new(endpoints),
    })
    .map_err(|error| error.to_string())?;
    let ready = WorkerReady {
        pid: std::process::id(),
        engine_version: Engine::catalog().engine_version,
        sandbox: sandbox.clone(),
    };
    std::thread::spawn(exit_with_input);
    let served = server::Server {
        engine,
        queries: queries.handle().clone(),
        sandbox,
        engine_version: ready.engine_version.clone(),
        statm: Arc::new(statm),
        open: Arc::default(),
    };
    protocol.block_on(async move {
        let listener = UnixListener::from_std(listener).map_err(|error| error.to_string())?;
        print_ready(&ready)?;
        server::serve(listener, served).await.map_err(|error| error.to_string())
    })
}

fn read_config() -> Result<WorkerConfig, String> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| error.to_string())?;
    serde_json::from_str(&line).map_err(|error| format!("the configuration is not one: {error}"))
}

fn bind(socket: &str) -> Result<std::os::unix::net::UnixListener, String> {
    let listener =
        std::os::unix::net::UnixListener::bind(socket).map_err(|error| format!("cannot listen: {}", error.kind()))?;
    std::fs::set_permissions(socket, Permissions::from_mode(0o600)).map_err(|error| error.to_string())?;
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    Ok(listener)
}

/// Spill files are unlinked when they are made; what a killed worker of another version left is removed here.
fn sweep(folder: Option<&str>) -> Result<(), String> {
    let Some(folder) = folder.map(Path::new) else {
        return Ok(());
    };
    let swept = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    swept().map_err(|error| format!("the spill folder cannot be used: {}", error.kind()))
}

fn runtime(threads: usize, name: &str) -> Result<Runtime, String> {
    Builder::new_multi_thread()
        .worker_threads(threads.max(1))
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_stack_size(QUERY_STACK_BYTES)
        .thread_name(name)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
}

/// The control plane holds the other end: when it is gone, however it went, so is this.
fn exit_with_input() {
    let mut rest = Vec::new();
    let _ = std::io::stdin().lock().read_to_end(&mut rest);
    std::process::exit(0);
}

fn print_ready(ready: &WorkerReady) -> Result<(), String> {
    let line = serde_json::to_string(ready).map_err(|error| error.to_string())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| error.to_string())
}

/// A line for the operator. Never a statement, a value or a path of a source.
fn tell(level: &str, message: &str) {
    let line = serde_json::json!({ "level": level, "message": message });
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

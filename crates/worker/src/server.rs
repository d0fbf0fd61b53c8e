//! The engine protocol over HTTP/1.1: see `ambit_protocol` for the routes.

use std::collections::HashMap;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use ambit_engine::{Engine, Frame, OpenError, TemplateError};
use ambit_protocol::{
    CheckRequest, CoarsensRequest, FRAME_HEADER_BYTES, FrameKind, Health, ImpliesRequest, InspectRequest, OpenSession,
    ProtocolError, Sandbox,
};
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use futures::stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Frames that wait for a reader: the engine stops when they are full.
const FRAMES_WAITING_MAX: usize = 4;
/// A template, or a question about a contract, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Clone)]
pub(crate) struct Server {
    pub engine: Arc<Engine>,
    pub queries: Handle,
    pub sandbox: Sandbox,
    pub engine_version: String,
    /// Opened before the sandbox closed /proc.
    pub statm: Arc<Option<std::fs::File>>,
    pub open: Arc<Mutex<HashMap<String, CancellationToken>>>,
}

/// Serves until the process ends.
pub(crate) async fn serve(listener: UnixListener, server: Server) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/health", get(health))
        .route("/catalog", get(catalog))
        .route("/check", post(check))
        .route("/inspect", post(inspect))
        .route("/implies", post(implies))
        .route("/coarsens", post(coarsens))
        .route("/templates/{digest}", put(put_template))
        .route("/sessions", post(open_session))
        .route("/sessions/{id}", delete(cancel_session))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(server);
    axum::serve(listener, routes).await
}

async fn health(State(server): State<Server>) -> Json<Health> {
    let usage = server.engine.usage();
    Json(Health {
        pid: std::process::id(),
        engine_version: server.engine_version.clone(),
        sessions: usage.sessions,
        sessions_total: usage.sessions_total,
        templates: usage.templates,
        memory_reserved_bytes: usage.memory_reserved_bytes,
        spill_bytes: usage.spill_bytes,
        tasks: usage.tasks,
        resident_bytes: resident_bytes(server.statm.as_ref().as_ref()),
        sandbox: server.sandbox.clone(),
    })
}

/// The second number of `/proc/self/statm`, in pages of 4 KiB.
fn resident_bytes(statm: Option<&std::fs::File>) -> u64 {
    let mut text = [0; 128];
    let read = statm
        .and_then(|file| file.read_at(&mut text, 0).ok())
        .unwrap_or_default();
    let text = text
        .get(..read)
        .and_then(|text| std::str::from_utf8(text).ok())
        .unwrap_or_default();
    text.split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok())
        .unwrap_or_default()
        * 4096
}

async fn catalog() -> Response {
    Json(Engine::catalog()).into_response()
}

async fn check(State(server): State<Server>, body: Bytes) -> Response {
    planned(&server, &body, |engine, request: CheckRequest| async move {
        engine.check(request).await
    })
    .await
}

async fn implies(State(server): State<Server>, body: Bytes) -> Response {
    planned(&server, &body, |engine, request: ImpliesRequest| async move {
        engine.implies(request).await
    })
    .await
}

async fn coarsens(State(server): State<Server>, body: Bytes) -> Response {
    planned(&server, &body, |engine, request: CoarsensRequest| async move {
        engine.coarsens(request).await
    })
    .await
}

async fn inspect(State(server): State<Server>, body: Bytes) -> Response {
    planned(&server, &body, |engine, request: InspectRequest| async move {
        engine.inspect(request).await
    })
    .await
}

/// The engine's answer to a question about a contract. Planning recurses: it belongs where stacks are big.
async fn planned<Q, A, F>(server: &Server, body: &Bytes, answer: impl FnOnce(Arc<Engine>, Q) -> F) -> Response
where
    Q: DeserializeOwned,
    A: Serialize + Send + 'static,
    F: Future<Output = A> + Send + 'static,
{
    let request: Q = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, "request_invalid", error.to_string()),
    };
    match server.queries.spawn(answer(Arc::clone(&server.engine), request)).await {
        Ok(answer) => Json(answer).into_response(),
        Err(_) => refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "check_failed",
            "the check panicked".into(),
        ),
    }
}

async fn put_template(State(server): State<Server>, Path(digest): Path<String>, body: Bytes) -> Response {
    match server.engine.put_template(&digest, &body) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(TemplateError::DigestMismatch) => refuse(
            StatusCode::BAD_REQUEST,
            "digest_mismatch",
            TemplateError::DigestMismatch.to_string(),
        ),
        Err(TemplateError::Invalid(reason)) => refuse(StatusCode::BAD_REQUEST, "template_invalid", reason),
    }
}

async fn open_session(State(server): State<Server>, body: Bytes) -> Response {
    let open: OpenSession = match serde_json::from_slice(&body) {
        Ok(open) => open,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, "request_invalid", error.to_string()),
    };
    let id = open.session.clone();
    let cancel = CancellationToken::new();
    {
        let mut sessions = server.open.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.contains_key(&id) {
            return refuse(StatusCode::CONFLICT, "session_open", "this session is open".into());
        }
        sessions.insert(id.clone(), cancel.clone());
    }
    let listed = Listed {
        open: Arc::clone(&server.open),
        id,
    };
    let session = match server.engine.open(open) {
        Ok(session) => session,
        Err(OpenError::TemplateUnknown) => {
            return refuse(
                StatusCode::NOT_FOUND,
                "template_unknown",
                OpenError::TemplateUnknown.to_string(),
            );
        }
        Err(error) => return refuse(StatusCode::SERVICE_UNAVAILABLE, "open_failed", error.to_string()),
    };
    let (sender, receiver) = mpsc::channel(FRAMES_WAITING_MAX);
    let running = cancel.clone();
    server.queries.spawn(async move {
        session.run(sender, running).await;
        drop(listed);
    });
    let body = Body::from_stream(stream::unfold((receiver, cancel.drop_guard()), next_frame));
    ([(header::CONTENT_TYPE, "application/vnd.ambit.frames")], body).into_response()
}

/// The guard goes with the body: a connection that closes cancels its session.
async fn next_frame(
    (mut frames, guard): (mpsc::Receiver<Frame>, DropGuard),
) -> Option<(Result<Bytes, serde_json::Error>, (mpsc::Receiver<Frame>, DropGuard))> {
    let frame = frames.recv().await?;
    Some((encode(frame), (frames, guard)))
}

fn encode(frame: Frame) -> Result<Bytes, serde_json::Error> {
    let (kind, payload) = match frame {
        Frame::Planned(planned) => (FrameKind::Planned, Bytes::from(serde_json::to_vec(&planned)?)),
        Frame::Data(bytes) => (FrameKind::Data, bytes),
        Frame::Outcome(outcome) => (FrameKind::Outcome, Bytes::from(serde_json::to_vec(&outcome)?)),
    };
    let mut bytes = Vec::with_capacity(FRAME_HEADER_BYTES + payload.len());
    bytes.push(kind as u8);
    bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(&payload);
    Ok(bytes.into())
}

/// In the list of open sessions while it is held.
struct Listed {
    open: Arc<Mutex<HashMap<String, CancellationToken>>>,
    id: String,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}

async fn cancel_session(State(server): State<Server>, Path(id): Path<String>) -> Response {
    let cancel = server
        .open
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&id)
        .cloned();
    match cancel {
        Some(cancel) => {
            cancel.cancel();
            StatusCode::ACCEPTED.into_response()
        }
        None => refuse(
            StatusCode::NOT_FOUND,
            "session_unknown",
            "no such session is open".into(),
        ),
    }
}

fn refuse(status: StatusCode, code: &str, message: String) -> Response {
    (
        status,
        Json(ProtocolError {
            code: code.to_string(),
            message,
        }),
    )
        .into_response()
}

//! The servers of remote stores that a worker may talk to, and nobody else.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ambit_protocol::Endpoint;
use async_trait::async_trait;
use futures::StreamExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use reqwest::{Certificate, Client, redirect};
use url::Url;

/// To be connected.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Without a byte of an answer.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Of what a server says of an error, and of the code in it.
const ERROR_BYTES_MAX: usize = 64 * 1024;
const CODE_BYTES_MAX: usize = 64;

/// Connections to the servers of remote stores. They carry no credential of their own: each request is signed for itself, so
/// sessions share them.
#[derive(Debug, Default)]
pub struct Endpoints(Vec<Door>);

/// Why they cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum EndpointsError {
    /// It is no origin.
    #[error("`{0}` is no scheme, host and port")]
    Origin(String),
    /// Its certificates are none, or the client could not be made.
    #[error("connections to `{0}` cannot be made: {1}")]
    Client(String, reqwest::Error),
}

impl Endpoints {
    /// Prepares clients, and connects to nobody. Reads the certificates that the machine trusts: call it before the sandbox is in
    /// force.
    pub fn new(endpoints: &[Endpoint]) -> Result<Self, EndpointsError> {
        endpoints.iter().map(Door::new).collect::<Result<_, _>>().map(Self)
    }

    /// Ports that are connected to.
    pub fn ports(&self) -> Vec<u16> {
        self.0
            .iter()
            .filter_map(|door| door.origin.port_or_known_default())
            .collect()
    }

    /// The way to a server, if it is one of these.
    pub(crate) fn door(&self, origin: &str) -> Option<Door> {
        let origin = Url::parse(origin).ok()?.origin();
        self.0.iter().find(|door| door.origin.origin() == origin).cloned()
    }
}

/// The way to one server.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    origin: Arc<Url>,
    client: Client,
}

impl Door {
    fn new(endpoint: &Endpoint) -> Result<Self, EndpointsError> {
        let origin = Url::parse(&endpoint.origin).ok().filter(Url::has_host);
        let origin = origin.ok_or_else(|| EndpointsError::Origin(endpoint.origin.clone()))?;
        let broken = |error| EndpointsError::Client(endpoint.origin.clone(), error);
        let builder = Client::builder()
            // Nothing of the process's environment, and nowhere that a server sends one.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .https_only(origin.scheme() != "http")
            .connect_timeout(CONNECT_MAX)
            .read_timeout(SILENCE_MAX);
        let builder = match &endpoint.certificates {
            None => builder,
            Some(pem) => Certificate::from_pem_bundle(pem.as_bytes())
                .map_err(broken)?
                .into_iter()
                .fold(builder.tls_built_in_root_certs(false), |builder, certificate| {
                    builder.add_root_certificate(certificate)
                }),
        };
        Ok(Self {
            origin: Arc::new(origin),
            client: builder.build().map_err(broken)?,
        })
    }
}

impl HttpConnector for Door {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Door {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let asked = Url::parse(&request.uri().to_string()).ok();
        if asked.is_none_or(|asked| asked.origin() != self.origin.origin()) {
            return Err(HttpError::new(HttpErrorKind::Unknown, Elsewhere));
        }
        let response = HttpService::call(&self.client, request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        Ok(HttpResponse::from_parts(parts, code_alone(body).await?.into()))
    }
}

/// What a server says of an error may quote the request, and the session token is in it: of that its code is kept, by which
/// the client knows what to do.
async fn code_alone(body: HttpResponseBody) -> Result<String, HttpError> {
    let mut said = Vec::new();
    let mut parts = body.bytes_stream();
    while let Some(part) = parts.next().await {
        said.extend_from_slice(&part?);
        if said.len() > ERROR_BYTES_MAX {
            break;
        }
    }
    let text = String::from_utf8_lossy(&said);
    let code = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    let code = code.map_or("", |(code, _)| code);
    let plain = code.len() <= CODE_BYTES_MAX && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    Ok(format!("<Error><Code>{}</Code></Error>", if plain { code } else { "" }))
}

/// A request to a server that is not the store's.
#[derive(Debug)]
struct Elsewhere;

impl fmt::Display for Elsewhere {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the request is not to the server of the store")
    }
}

impl std::error::Error for Elsewhere {}

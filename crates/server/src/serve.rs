//! Accepting connections: plain or TLS, HTTP/1.1, with limits on how long a silent peer is waited for.

use std::{convert::Infallible, future::Future, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};
use tower::Service as _;

/// Most connections at once; more wait in the system's queue.
const CONNECTIONS: usize = 8_192;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a peer may take to say what it wants. Longer than the 90 seconds for which clients keep idle connections, so
/// that it is they who hang up.
const HEADERS: Duration = Duration::from_secs(100);
/// How long requests under way get when the server stops.
const GRACE: Duration = Duration::from_secs(10);

/// Where a request comes from, as the network has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Serves until `stop`, then lets what is under way end.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, accept(&listener).await)
        };
        let (place, (stream, address)) = tokio::select! {
            () = &mut stop => break,
            next = next => next,
        };
        let (tls, router, watcher) = (tls.clone(), router.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            match tls {
                None => converse(stream, address, router, watcher).await,
                Some(tls) => match timeout(HANDSHAKE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => converse(stream, address, router, watcher).await,
                    Ok(Err(error)) => tracing::debug!("A TLS handshake failed: {error}"),
                    Err(_) => tracing::debug!("A TLS handshake took too long."),
                },
            }
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => (),
        () = sleep(GRACE) => tracing::warn!("Some requests did not end in time and were cut off."),
    }
}

/// Reads certificate chain and key.
pub(crate) fn tls(certificates: &Path, key: &Path) -> io::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Answers are small and somebody waits for each.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("TCP_NODELAY could not be set: {error}");
                }
                return (stream, address);
            }
            Err(error) => {
                tracing::warn!("A connection could not be accepted: {error}");
                // Out of file descriptors: trying again at once would only burn the core.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse<S>(stream: S, address: SocketAddr, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(address));
            Ok::<_, Infallible>(match router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!("A connection ended: {error}");
    }
}

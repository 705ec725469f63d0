//! One connection: greeted within the first-byte deadline, served as HTTP/2 until it is old or told to leave.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Extensions, Request};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::transport::server::{Connected, TcpConnectInfo};
use tracing::debug;

use super::Transport;
use super::front::Front;

/// What every HTTP/2 client says first (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What every connection of one listener shares.
pub(super) struct Reception {
    front: Arc<Front>,
    http: http2::Builder<TokioExecutor>,
    transport: Transport,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
}

impl Reception {
    pub(super) fn new(front: Front, transport: Transport, tls: Option<watch::Receiver<Arc<ServerConfig>>>) -> Self {
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .max_concurrent_streams(transport.streams_per_connection_max)
            .max_header_list_size(transport.header_list_bytes_max)
            .keep_alive_interval(transport.keepalive_interval)
            .keep_alive_timeout(transport.keepalive_timeout);
        Self { front: Arc::new(front), http, transport, tls }
    }

    /// Serves one accepted socket to its end.
    pub(super) async fn receive(&self, stream: TcpStream, peer: SocketAddr, leaving: CancellationToken) {
        // Small frames wait for nobody; a socket that refuses the option is served all the same.
        if let Err(err) = stream.set_nodelay(true) {
            debug!(error = %err, "TCP_NODELAY was refused");
        }
        let address = TcpConnectInfo { local_addr: stream.local_addr().ok(), remote_addr: Some(peer) };
        let mut extensions = Extensions::new();
        extensions.insert(address);
        let config = self.tls.as_ref().map(|tls| Arc::clone(&tls.borrow()));
        match config {
            None => {
                let Some(stream) = self.by_the_deadline(greet(stream), &leaving).await else { return };
                self.drive(stream, extensions, &leaving).await;
            }
            Some(config) => {
                let secured = async { greet(TlsAcceptor::from(config).accept(stream).await?).await };
                let Some(stream) = self.by_the_deadline(secured, &leaving).await else { return };
                extensions.insert(stream.inner.connect_info());
                self.drive(stream, extensions, &leaving).await;
            }
        }
    }

    /// Who is silent, or slow to say the first words, is not waited for.
    async fn by_the_deadline<T>(
        &self,
        greeting: impl Future<Output = io::Result<T>>,
        leaving: &CancellationToken,
    ) -> Option<T> {
        let greeted = tokio::select! {
            greeted = timeout(self.transport.first_byte_deadline, greeting) => greeted,
            () = leaving.cancelled() => return None,
        };
        match greeted {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(err)) => {
                debug!(error = %err, "a connection did not begin as HTTP/2");
                None
            }
            Err(_elapsed) => {
                debug!("a silent connection is closed");
                None
            }
        }
    }

    async fn drive<S>(&self, stream: S, extensions: Extensions, leaving: &CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let front = Arc::clone(&self.front);
        let service = service_fn(move |mut request: Request<Incoming>| {
            let front = Arc::clone(&front);
            request.extensions_mut().extend(extensions.clone());
            async move { Ok::<_, Infallible>(front.answer(request.map(Body::new)).await) }
        });
        let mut connection = pin!(self.http.serve_connection(TokioIo::new(stream), service));
        let mut old = pin!(sleep(jittered(self.transport.connection_age)));
        let mut asked = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(err) = ended {
                        debug!(error = %err, "a connection ended badly");
                    }
                    return;
                }
                () = &mut old, if !asked => {}
                () = leaving.cancelled(), if !asked => {}
            }
            asked = true;
            connection.as_mut().graceful_shutdown();
        }
    }
}

/// Give or take a tenth, so that connections that came together do not leave together.
fn jittered(age: Duration) -> Duration {
    age.mul_f64(rand::random_range(0.9..1.1))
}

/// Waits for the whole preface: a peer that sends it piece by piece is as slow as one that sends nothing.
async fn greet<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<Greeted<S>> {
    let mut said = [0; PREFACE.len()];
    stream.read_exact(&mut said).await?;
    if said != *PREFACE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Greeted { inner: stream, repeat: PREFACE })
}

/// A stream whose preface was read already and is read once more by HTTP/2.
struct Greeted<S> {
    inner: S,
    repeat: &'static [u8],
}

impl<S: AsyncRead + Unpin> AsyncRead for Greeted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.repeat.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let (now, later) = self.repeat.split_at(self.repeat.len().min(buf.remaining()));
        buf.put_slice(now);
        self.repeat = later;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Greeted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

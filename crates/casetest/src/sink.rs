//! What collects the entries that log plugins send.

use std::{cell::RefCell, fs, io, net::Ipv4Addr, path::PathBuf, rc::Rc};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, UdpSocket},
    task::spawn_local,
};

use super::{case::SinkKind, raw_http};

/// A sink at work.
pub struct Sink {
    place: Place,
    entries: Rc<RefCell<Vec<Value>>>,
}

/// Where entries go.
#[derive(Clone, Debug)]
pub enum Place {
    /// A port of loopback.
    Port(u16),
    /// A file.
    File(PathBuf),
}

impl Sink {
    /// Starts one. Must be called within a `LocalSet`, which ends it. Files are made in `folder`.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(name: &str, kind: SinkKind, folder: &std::path::Path) -> io::Result<Sink> {
        let entries = Rc::new(RefCell::new(Vec::new()));
        let kept = Rc::clone(&entries);
        let local = (Ipv4Addr::LOCALHOST, 0);
        let place = match kind {
            SinkKind::File => Place::File(folder.join(format!("{name}.log"))),
            SinkKind::Udp => {
                let socket = UdpSocket::bind(local).await?;
                let port = socket.local_addr()?.port();
                spawn_local(async move {
                    let mut buffer = vec![0; 1 << 16];
                    while let Ok(length) = socket.recv(&mut buffer).await {
                        let text = String::from_utf8_lossy(&buffer[..length]);
                        kept.borrow_mut().extend(text.split('\n').filter(|l| !l.is_empty()).map(Value::from));
                    }
                });
                Place::Port(port)
            }
            SinkKind::Http | SinkKind::Tcp => {
                let listener = TcpListener::bind(local).await?;
                let port = listener.local_addr()?.port();
                spawn_local(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        let kept = Rc::clone(&kept);
                        spawn_local(async move {
                            let _ = match kind {
                                SinkKind::Http => requests(stream, &kept).await,
                                _ => lines(stream, &kept).await,
                            };
                        });
                    }
                });
                Place::Port(port)
            }
        };
        Ok(Sink { place, entries })
    }

    /// Where entries go.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What has come so far.
    pub fn entries(&self) -> Vec<Value> {
        match &self.place {
            Place::Port(_) => self.entries.borrow().clone(),
            Place::File(path) => {
                let bytes = fs::read(path).unwrap_or_default();
                String::from_utf8_lossy(&bytes).lines().map(Value::from).collect()
            }
        }
    }
}

async fn lines(stream: TcpStream, kept: &RefCell<Vec<Value>>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).await? > 0 {
        let text = String::from_utf8_lossy(&line);
        kept.borrow_mut().push(text.trim_end_matches('\n').into());
        line.clear();
    }
    Ok(())
}

async fn requests(stream: TcpStream, kept: &RefCell<Vec<Value>>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let line = raw_http::line(&mut stream).await?;
        let mut parts = line.split(' ');
        let (method, uri) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let fields = raw_http::fields(&mut stream).await?;
        let body = if raw_http::is_chunked(&fields) {
            let body = raw_http::chunks(&mut stream).await?;
            raw_http::fields(&mut stream).await?;
            body
        } else {
            let length = raw_http::get(&fields, "content-length").first().and_then(|l| l.parse().ok());
            raw_http::exactly(&mut stream, length.unwrap_or(0)).await?
        };
        let mut entry = json!({
            "method": method, "uri": uri, "headers": raw_http::by_name(&fields), "body": String::from_utf8_lossy(&body),
        });
        if let Ok(value) = serde_json::from_slice::<Value>(&body) {
            entry["json"] = value;
        }
        kept.borrow_mut().push(entry);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await?;
    }
}

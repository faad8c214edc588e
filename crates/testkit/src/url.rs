//! Where a client asks.

use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result};

/// An address of a server, and a path on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Where to connect.
    pub address: SocketAddr,
    /// What the `host` header says.
    pub host: String,
    /// The path, and the query if there is one.
    pub path: String,
}

impl Url {
    /// Reads `http://HOST:PORT/PATH` and looks the host up.
    pub fn read(text: &str) -> Result<Url> {
        let rest = text.strip_prefix("http://").with_context(|| format!("expected `http://…`, found `{text}`"))?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let mut addresses = host.to_socket_addrs().with_context(|| format!("`{host}` is no HOST:PORT"))?;
        Ok(Url {
            address: addresses.next().with_context(|| format!("`{host}` has no address"))?,
            host: host.to_owned(),
            path: if path.is_empty() { "/" } else { path }.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let url = Url::read("http://127.0.0.1:80/a?b").unwrap();
        assert_eq!((url.address.port(), url.host.as_str(), url.path.as_str()), (80, "127.0.0.1:80", "/a?b"));
        assert_eq!(Url::read("http://127.0.0.1:80").unwrap().path, "/");
        let error = |text| Url::read(text).unwrap_err().to_string();
        assert_eq!(error("ftp://a"), "expected `http://…`, found `ftp://a`");
        assert_eq!(error("http://127.0.0.1/"), "`127.0.0.1` is no HOST:PORT");
    }
}

//! A second handle on a client's socket, to break connections in ways that an HTTP library does not offer: without a
//! status line, or after half an answer. The library's own handle sees a closed connection and gives up.

use std::{
    io::{self, Write},
    net::{Shutdown, TcpStream},
};

#[derive(Debug)]
pub(crate) struct Connection(TcpStream);

impl Connection {
    /// Opens a second handle on the socket of `stream`.
    pub(crate) fn of(stream: &actix_rt::net::TcpStream) -> io::Result<Self> {
        #[cfg(unix)]
        let socket = std::os::fd::AsFd::as_fd(stream).try_clone_to_owned()?;
        #[cfg(windows)]
        let socket = std::os::windows::io::AsSocket::as_socket(stream).try_clone_to_owned()?;
        Ok(Self(TcpStream::from(socket)))
    }

    /// Closes the connection at once.
    pub(crate) fn close(&self) {
        // An error means that the connection is closed already.
        let _ = self.0.shutdown(Shutdown::Both);
    }

    /// Sends these bytes and closes the connection.
    pub(crate) fn close_after(&self, bytes: &[u8]) {
        // The socket is non-blocking, so bytes that do not fit into its buffer are dropped and the client sees even
        // less.
        let _ = (&self.0).write_all(bytes);
        self.close();
    }
}

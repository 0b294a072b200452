//! A second handle on a client's socket, to break off in ways that an HTTP library will not: no status line
//! at all, or half an answer. The library's own handle sees a closed connection and gives up.

use std::{
    io::{self, Write},
    net::{Shutdown, TcpStream},
};

#[derive(Debug)]
pub(crate) struct Connection(TcpStream);

impl Connection {
    /// A handle on the socket of `stream`.
    pub(crate) fn of(stream: &actix_rt::net::TcpStream) -> io::Result<Self> {
        #[cfg(unix)]
        let socket = std::os::fd::AsFd::as_fd(stream).try_clone_to_owned()?;
        #[cfg(windows)]
        let socket = std::os::windows::io::AsSocket::as_socket(stream).try_clone_to_owned()?;
        Ok(Self(TcpStream::from(socket)))
    }

    /// Ends the connection here and now.
    pub(crate) fn close(&self) {
        // An error means that it is closed already.
        let _ = self.0.shutdown(Shutdown::Both);
    }

    /// Sends these bytes and ends the connection.
    pub(crate) fn close_after(&self, bytes: &[u8]) {
        // The socket does not block: what the buffer will not take is not sent, and the client sees even
        // less.
        let _ = (&self.0).write_all(bytes);
        self.close();
    }
}

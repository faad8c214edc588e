//! The properties of TCP sockets: what can be set, and what is told then.

use crate::{
    Case,
    addresses::{FAMILIES, loopback, refused},
    cases,
    tcp::{bound, create, listening, pair},
};
use wasip2::sockets::network::ErrorCode;

pub(crate) const CASES: &[Case] =
    cases![accepted_as_the_listener, address_family, backlog, keep_alive, hop_limit, buffers,];

/// A connection that was accepted has the properties of its listener.
fn accepted_as_the_listener() {
    for family in FAMILIES {
        let listener = create(family);
        listener.set_keep_alive_enabled(true).unwrap();
        listener.set_keep_alive_idle_time(42_000_000_000).unwrap();
        listener.set_keep_alive_interval(43_000_000_000).unwrap();
        listener.set_keep_alive_count(7).unwrap();
        listener.set_hop_limit(44).unwrap();
        listener.set_receive_buffer_size(0x10000).unwrap();
        listener.set_send_buffer_size(0x10000).unwrap();
        bound(&listener, loopback(family, 0)).unwrap();
        listener.start_listen().unwrap();
        listener.finish_listen().unwrap();
        let (_client, server) = pair(&listener, listener.local_address().unwrap());
        let socket = &server.socket;
        assert_eq!(socket.address_family(), family);
        assert_eq!(socket.keep_alive_enabled(), Ok(true));
        assert_eq!(socket.keep_alive_idle_time(), Ok(42_000_000_000));
        assert_eq!(socket.keep_alive_interval(), Ok(43_000_000_000));
        assert_eq!((socket.keep_alive_count(), socket.hop_limit()), (Ok(7), Ok(44)));
        assert_eq!(socket.receive_buffer_size(), Ok(0x10000));
        assert_eq!(socket.send_buffer_size(), Ok(0x10000));
    }
}

fn address_family() {
    for family in FAMILIES {
        assert_eq!(create(family).address_family(), family);
    }
}

fn backlog() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.set_listen_backlog_size(0), &[ErrorCode::InvalidArgument]);
        assert_eq!((socket.set_listen_backlog_size(1), socket.set_listen_backlog_size(u64::MAX)), (Ok(()), Ok(())));
        let (listener, address) = listening(family);
        match listener.set_listen_backlog_size(2) {
            Ok(()) => {}
            refusal => refused(refusal, &[ErrorCode::NotSupported]),
        }
        let (client, _server) = pair(&listener, address);
        refused(client.socket.set_listen_backlog_size(2), &[ErrorCode::InvalidState]);
    }
}

/// Times are rounded and held to what the host can, never refused for being too short or too long.
fn keep_alive() {
    const SECOND: u64 = 1_000_000_000;
    for family in FAMILIES {
        let socket = create(family);
        for enabled in [true, false] {
            socket.set_keep_alive_enabled(enabled).unwrap();
            assert_eq!(socket.keep_alive_enabled(), Ok(enabled));
        }
        refused(socket.set_keep_alive_idle_time(0), &[ErrorCode::InvalidArgument]);
        refused(socket.set_keep_alive_interval(0), &[ErrorCode::InvalidArgument]);
        refused(socket.set_keep_alive_count(0), &[ErrorCode::InvalidArgument]);
        for nanoseconds in [1, SECOND - 1, u64::MAX] {
            socket.set_keep_alive_idle_time(nanoseconds).unwrap();
            socket.set_keep_alive_interval(nanoseconds).unwrap();
            let (idle, interval) = (socket.keep_alive_idle_time().unwrap(), socket.keep_alive_interval().unwrap());
            assert!(idle > 0 && interval > 0);
            assert!(nanoseconds > SECOND || (idle <= SECOND && interval <= SECOND));
        }
        socket.set_keep_alive_idle_time(42 * SECOND).unwrap();
        socket.set_keep_alive_interval(43 * SECOND).unwrap();
        assert_eq!(socket.keep_alive_idle_time(), Ok(42 * SECOND));
        assert_eq!(socket.keep_alive_interval(), Ok(43 * SECOND));
        assert_eq!((socket.set_keep_alive_count(1), socket.set_keep_alive_count(u32::MAX)), (Ok(()), Ok(())));
        socket.set_keep_alive_count(42).unwrap();
        assert_eq!(socket.keep_alive_count(), Ok(42));
    }
}

fn hop_limit() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.set_hop_limit(0), &[ErrorCode::InvalidArgument]);
        for hops in [1, 42, 255] {
            socket.set_hop_limit(hops).unwrap();
            assert_eq!(socket.hop_limit(), Ok(hops));
        }
    }
}

/// Sizes are held to what the host can, and what was set is what is told.
fn buffers() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.set_receive_buffer_size(0), &[ErrorCode::InvalidArgument]);
        refused(socket.set_send_buffer_size(0), &[ErrorCode::InvalidArgument]);
        for bytes in [1, u64::MAX] {
            assert_eq!((socket.set_receive_buffer_size(bytes), socket.set_send_buffer_size(bytes)), (Ok(()), Ok(())));
            assert!(socket.receive_buffer_size().unwrap() > 0 && socket.send_buffer_size().unwrap() > 0);
        }
        socket.set_receive_buffer_size(0x10000).unwrap();
        socket.set_send_buffer_size(0x10000).unwrap();
        assert_eq!(socket.receive_buffer_size(), Ok(0x10000));
        assert_eq!(socket.send_buffer_size(), Ok(0x10000));
    }
}

//! The properties of TCP sockets: what can be set, and what is told then.

use crate::{
    Case,
    addresses::{FAMILIES, loopback},
    cases, refused,
    tcp::{create, listening, pair},
};
use wasip3::sockets::types::TcpSocket;

pub(crate) const CASES: &[Case] = cases![
    accepted_as_the_listener,
    accepted_as_the_listener_is_by_default,
    address_family,
    backlog,
    keep_alive,
    hop_limit,
    buffers,
];

/// A connection that was accepted has the properties that were set on its listener.
async fn accepted_as_the_listener() {
    for family in FAMILIES {
        let listener = create(family);
        listener.set_keep_alive_enabled(true).unwrap();
        listener.set_keep_alive_idle_time(42_000_000_000).unwrap();
        listener.set_keep_alive_interval(43_000_000_000).unwrap();
        listener.set_keep_alive_count(7).unwrap();
        listener.set_hop_limit(44).unwrap();
        listener.set_receive_buffer_size(0x10000).unwrap();
        listener.set_send_buffer_size(0x10000).unwrap();
        listener.bind(loopback(family, 0)).unwrap();
        let mut accept = listener.listen().unwrap();
        let (_client, server) = pair(&mut accept, listener.get_local_address().unwrap()).await;
        same_properties(&server, &listener);
        assert_eq!(server.get_hop_limit().unwrap(), 44);
        assert_eq!(server.get_keep_alive_idle_time().unwrap(), 42_000_000_000);
        assert_eq!(server.get_send_buffer_size().unwrap(), 0x10000);
    }
}

/// Also those that nobody set.
async fn accepted_as_the_listener_is_by_default() {
    for family in FAMILIES {
        let (listener, mut accept, address) = listening(family);
        let (_client, server) = pair(&mut accept, address).await;
        same_properties(&server, &listener);
    }
}

fn same_properties(one: &TcpSocket, other: &TcpSocket) {
    let properties = |socket: &TcpSocket| {
        (
            socket.get_address_family(),
            socket.get_keep_alive_enabled().unwrap(),
            socket.get_keep_alive_idle_time().unwrap(),
            socket.get_keep_alive_interval().unwrap(),
            socket.get_keep_alive_count().unwrap(),
            socket.get_hop_limit().unwrap(),
            socket.get_receive_buffer_size().unwrap(),
            socket.get_send_buffer_size().unwrap(),
        )
    };
    assert_eq!(properties(one), properties(other));
}

async fn address_family() {
    for family in FAMILIES {
        assert_eq!(create(family).get_address_family(), family);
    }
}

async fn backlog() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.set_listen_backlog_size(0), &["InvalidArgument"]);
        socket.set_listen_backlog_size(1).unwrap();
        socket.set_listen_backlog_size(u64::MAX).unwrap();
        socket.bind(loopback(family, 0)).unwrap();
        let _accept = socket.listen().unwrap();
        if let Err(error) = socket.set_listen_backlog_size(2) {
            refused(Err::<(), _>(error), &["NotSupported"]);
        }
    }
}

/// Times are rounded and held to what the host can, never refused for being too short or too long.
async fn keep_alive() {
    const SECOND: u64 = 1_000_000_000;
    for family in FAMILIES {
        let socket = create(family);
        for enabled in [true, false] {
            socket.set_keep_alive_enabled(enabled).unwrap();
            assert_eq!(socket.get_keep_alive_enabled().unwrap(), enabled);
        }
        refused(socket.set_keep_alive_idle_time(0), &["InvalidArgument"]);
        refused(socket.set_keep_alive_interval(0), &["InvalidArgument"]);
        refused(socket.set_keep_alive_count(0), &["InvalidArgument"]);
        for nanoseconds in [1, SECOND - 1, u64::MAX] {
            socket.set_keep_alive_idle_time(nanoseconds).unwrap();
            socket.set_keep_alive_interval(nanoseconds).unwrap();
            let (idle, interval) =
                (socket.get_keep_alive_idle_time().unwrap(), socket.get_keep_alive_interval().unwrap());
            assert!(idle > 0 && interval > 0);
            assert!(nanoseconds > SECOND || (idle <= SECOND && interval <= SECOND));
        }
        socket.set_keep_alive_idle_time(42 * SECOND).unwrap();
        socket.set_keep_alive_interval(43 * SECOND).unwrap();
        assert_eq!(socket.get_keep_alive_idle_time().unwrap(), 42 * SECOND);
        assert_eq!(socket.get_keep_alive_interval().unwrap(), 43 * SECOND);
        for count in [1, u32::MAX, 42] {
            socket.set_keep_alive_count(count).unwrap();
        }
        assert_eq!(socket.get_keep_alive_count().unwrap(), 42);
    }
}

async fn hop_limit() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.set_hop_limit(0), &["InvalidArgument"]);
        for hops in [1, 255, 42] {
            socket.set_hop_limit(hops).unwrap();
            assert_eq!(socket.get_hop_limit().unwrap(), hops);
        }
    }
}

/// Sizes are held to what the host can, and what was set is what is told.
async fn buffers() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.set_receive_buffer_size(0), &["InvalidArgument"]);
        refused(socket.set_send_buffer_size(0), &["InvalidArgument"]);
        for bytes in [1, u64::MAX, 0x10000] {
            socket.set_receive_buffer_size(bytes).unwrap();
            socket.set_send_buffer_size(bytes).unwrap();
            assert!(socket.get_receive_buffer_size().unwrap() > 0 && socket.get_send_buffer_size().unwrap() > 0);
        }
        assert_eq!(socket.get_receive_buffer_size().unwrap(), 0x10000);
        assert_eq!(socket.get_send_buffer_size().unwrap(), 0x10000);
    }
}

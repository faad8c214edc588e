//! Runs a future on the thread that asks for its result.

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

/// Wakes a thread that waits. One thread has one, however deep calls lie in each other there: a wake-up too many does no harm.
struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Release) {
            self.thread.unpark();
        }
    }
}

thread_local! {
    static UNPARK: RefCell<Option<(Arc<Unpark>, Waker)>> = const { RefCell::new(None) };
}

/// Polls a future here until it is ready.
pub(crate) fn block_on<T>(mut future: Pin<&mut impl Future<Output = T>>) -> T {
    let (unpark, waker) = UNPARK.with(|unpark| {
        unpark
            .borrow_mut()
            .get_or_insert_with(|| {
                let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
                (unpark.clone(), unpark.into())
            })
            .clone()
    });
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            // Whoever waits further out may have been meant, too.
            unpark.wake_by_ref();
            return value;
        }
        while !unpark.woken.swap(false, Acquire) {
            thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::block_on;
    use std::{future::poll_fn, pin::pin, task::Poll, thread, time::Duration};

    #[test]
    fn what_is_woken_from_another_thread_goes_on_also_inside_another() {
        let wait = || {
            let mut asked = false;
            poll_fn(move |cx| {
                if asked {
                    return Poll::Ready(7);
                }
                asked = true;
                let waker = cx.waker().clone();
                thread::spawn(move || {
                    thread::sleep(Duration::from_millis(5));
                    waker.wake();
                });
                Poll::Pending
            })
        };
        assert_eq!(block_on(pin!(async { block_on(pin!(wait())) + wait().await })), 14);
    }
}

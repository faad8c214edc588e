"""Asyncio: threads that make the calls of tasks, and the event loop of functions whose caller has none."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Callable, Coroutine

from ._sandbar import Cancel, Within

#: Calls of tasks that are made at one time; more wait for a thread.
THREADS_MAX = 64

#: The call that a coroutine of the host was called by.
within: contextvars.ContextVar[Within | None] = contextvars.ContextVar("sandbar.within", default=None)

_lock = threading.Lock()
_threads: ThreadPoolExecutor | None = None
_own_loop: asyncio.AbstractEventLoop | None = None


async def call(make: Callable[..., Any], cancel: Cancel | None, **arguments: Any) -> Any:
    """Makes a call on another thread, and ends it where the task that waits for it is cancelled."""
    loop = asyncio.get_running_loop()
    task = Cancel()
    # Functions of the host see the variables of the task.
    context, outer = contextvars.copy_context(), within.get()
    make = partial(context.run, make, **arguments, cancel=cancel, task=task, event_loop=loop, within=outer)
    # A call that is part of another must not wait for a thread until that one has ended.
    future = loop.run_in_executor(_thread_pool(), make) if outer is None else asyncio.wrap_future(_apart(make), loop=loop)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if not future.done():
            task.cancel()
            future.add_done_callback(_seen)
        raise


def _seen(future: asyncio.Future[Any]) -> None:
    """Nobody waits any more for how it ended."""
    if not future.cancelled():
        future.exception()


def begin(coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop | None, call: Within | None, done: Any) -> Future[Any]:
    """Runs a coroutine for a plugin on a loop, or on one of our own, and tells ``done`` what came of it."""
    loop = loop or _loop()
    task: Future[Any] = Future()

    def told(of: asyncio.Task[Any]) -> None:
        if of.cancelled():
            done.failed(RuntimeError("the coroutine was cancelled"))
        elif (error := of.exception()) is not None:
            done.failed(error)
        else:
            done.gave(of.result())

    def start() -> None:
        context = contextvars.copy_context()
        context.run(within.set, call)
        running = loop.create_task(coroutine, context=context)
        running.add_done_callback(told)
        task.add_done_callback(lambda of: of.cancelled() and loop.call_soon_threadsafe(running.cancel))
        if task.cancelled():
            running.cancel()

    try:
        # In the variables of whoever made the call.
        loop.call_soon_threadsafe(start)
    except RuntimeError:
        coroutine.close()
        raise
    return task


def forked() -> None:
    """Starts anew in a process that was forked, which has none of the threads."""
    global _lock, _threads, _own_loop
    _lock, _threads, _own_loop = threading.Lock(), None, None


def _thread_pool() -> ThreadPoolExecutor:
    global _threads
    with _lock:
        if _threads is None:
            _threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="sandbar-call")
        return _threads


def _apart(make: Callable[[], Any]) -> Future[Any]:
    """Makes a call on a thread that is only there for it."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(make())
        except BaseException as error:  # noqa: BLE001
            future.set_exception(error)

    threading.Thread(target=run, name="sandbar-inner-call", daemon=True).start()
    return future


def _loop() -> asyncio.AbstractEventLoop:
    global _own_loop
    with _lock:
        if _own_loop is None:
            _own_loop = asyncio.new_event_loop()
            threading.Thread(target=_own_loop.run_forever, name="sandbar-loop", daemon=True).start()
        return _own_loop

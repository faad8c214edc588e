"""Calls by tasks."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
import unittest

import guests
import sandbar
from sandbar import Call, i32


def give(function: object) -> sandbar.Functions:
    functions = sandbar.Functions()
    functions.add("env", "f", function)  # type: ignore[arg-type]
    return functions


class Tasks(unittest.IsolatedAsyncioTestCase):
    async def test_values_bytes_and_receipts(self) -> None:
        with sandbar.Plugin(guests.USERS) as plugin:
            answer, receipt = await plugin.call_async("transform_data", {"users": []}, receipt=True)
            self.assertEqual((answer["processed_count"], receipt.outcome), (0, "done"))
            view = await plugin.call_bytes_async("transform_data", b'{"users": []}')
            self.assertEqual(view, b'{"filtered_users":[],"processed_count":0}')

    async def test_the_loop_goes_on_while_guests_compute(self) -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1

        ticking = asyncio.create_task(tick())
        with sandbar.Plugin(guests.SPIN, sandbox="fresh") as plugin:
            ended = await asyncio.gather(
                *(plugin.call_async("spin", timeout=0.2) for _ in range(4)), return_exceptions=True
            )
        ticking.cancel()
        self.assertEqual({type(end) for end in ended}, {sandbar.TimedOut})
        self.assertGreater(ticks, 5)

    async def test_a_cancelled_task_ends_its_call_and_no_other(self) -> None:
        outcomes: list[str] = []
        for sandbox in ("held", "fresh", {"reuse": 5}):
            with sandbar.Plugin(guests.SPIN, sandbox=sandbox, on_receipt=lambda r: outcomes.append(r.outcome)) as plugin:
                task = asyncio.create_task(plugin.call_async("spin"))
                await asyncio.sleep(0.2)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                # A held plugin is free again at once.
                self.assertEqual(await plugin.call_async("add-one", 1, timeout=2), 2)
                with self.assertRaises(TimeoutError):
                    await asyncio.wait_for(plugin.call_async("spin"), 0.2)
                self.assertEqual(await plugin.call_async("add-one", 2, timeout=2), 3)
                # The guest ends after its task, in a sandbox of its own.
                ended = time.monotonic() + 5
                while outcomes.count("cancelled") < 2 and time.monotonic() < ended:
                    await asyncio.sleep(0.01)
                self.assertEqual(outcomes.count("cancelled"), 2)
                outcomes.clear()

    async def test_async_functions_run_on_the_caller_s_loop_in_its_variables(self) -> None:
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
        variable.set("the task's")
        seen: list[object] = []
        loop = asyncio.get_running_loop()

        async def f(call: Call, number: i32) -> i32:
            seen.append((asyncio.get_running_loop() is loop, variable.get(), call.context))
            await asyncio.sleep(0.01)
            return number + 1

        with sandbar.Plugin(guests.CALLS, functions=give(f)) as plugin:
            self.assertEqual(await plugin.call_async("once", 1, context="context"), 2)
        self.assertEqual(seen, [(True, "the task's", "context")])

    async def test_async_functions_are_cancelled_with_their_call(self) -> None:
        ended = asyncio.Event()

        async def f(number: i32) -> i32:
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()
            return number

        with sandbar.Plugin(guests.CALLS, functions=give(f)) as plugin:
            with self.assertRaises(sandbar.TimedOut):
                await plugin.call_async("once", 1, timeout=0.05)
            await asyncio.wait_for(ended.wait(), 2)
            ended.clear()
            task = asyncio.create_task(plugin.call_async("once", 1))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.wait_for(ended.wait(), 2)

    async def test_what_async_functions_raise_is_the_cause(self) -> None:
        async def f(number: i32) -> i32:
            await asyncio.sleep(0)
            raise LookupError("nobody")

        with sandbar.Plugin(guests.CALLS, functions=give(f)) as plugin:
            with self.assertRaises(sandbar.Fault) as caught:
                await plugin.call_async("once", 1)
            self.assertIsInstance(caught.exception.__cause__, LookupError)

    async def test_a_coroutine_that_somebody_else_cancels_is_a_fault(self) -> None:
        async def f(number: i32) -> i32:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(1)
            return number

        with sandbar.Plugin(guests.CALLS, functions=give(f)) as plugin:
            with self.assertRaises(sandbar.Fault) as caught:
                await plugin.call_async("once", 1)
            self.assertIn("cancelled", str(caught.exception.__cause__))

    async def test_an_async_function_that_calls_its_own_held_plugin_is_refused(self) -> None:
        async def f(number: i32) -> i32:
            value: int = await plugin.call_async("once", number)
            return value

        with sandbar.Plugin(guests.CALLS, functions=give(f)) as plugin:
            before = time.monotonic()
            with self.assertRaises(sandbar.Fault) as caught:
                await plugin.call_async("once", 1)
            self.assertIsInstance(caught.exception.__cause__, sandbar.Refused)
            self.assertLess(time.monotonic() - before, 2)

    async def test_calls_in_calls_never_wait_for_threads_of_those_further_out(self) -> None:
        with sandbar.Plugin(guests.SPIN, sandbox="fresh", sandboxes_max=200) as inner:

            async def f(number: i32) -> i32:
                await asyncio.sleep(0.05)
                value: int = await inner.call_async("add-one", number)
                return value

            with sandbar.Plugin(guests.CALLS, functions=give(f), sandbox="fresh", sandboxes_max=200) as outer:
                calls = [outer.call_async("once", number) for number in range(100)]
                self.assertEqual(await asyncio.wait_for(asyncio.gather(*calls), 9), list(range(1, 101)))

    async def test_many_tasks(self) -> None:
        with sandbar.Plugin(guests.SPIN, sandbox={"reuse": 100}) as plugin:
            answers = await asyncio.gather(*(plugin.call_async("add-one", number) for number in range(500)))
        self.assertEqual(answers, list(range(1, 501)))


class WithoutLoop(unittest.TestCase):
    def test_async_functions_run_on_a_loop_of_their_own(self) -> None:
        async def f(number: i32) -> i32:
            await asyncio.sleep(0.001)
            return number + 1

        with sandbar.Plugin(guests.CALLS, functions=give(f)) as plugin:
            for number in range(20):
                self.assertEqual(plugin.once(number), number + 1)
            with self.assertRaises(sandbar.TimedOut):
                plugin.forever(timeout=0.05)

        async def in_a_loop() -> int:
            answer: int = plugin.once(1)
            return answer

        with sandbar.Plugin(guests.CALLS, functions=give(f)) as plugin:
            self.assertEqual(asyncio.run(in_a_loop()), 2)
        self.assertIn("sandbar-loop", [thread.name for thread in threading.enumerate()])


if __name__ == "__main__":
    unittest.main()

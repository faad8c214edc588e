//! A component with a typed export for every kind of value of the component model.
//!
//! Its interface, `wit/types.wit`, is what a host sees of it.

use std::cell::Cell;

use exports::sandbar::types::echo::{Access, Colour, Drawing, Guest as Echo, GuestCounter, Point, Shape};

wit_bindgen::generate!({ world: "types", path: "wit" });

struct Types;

export!(Types);

impl Guest for Types {
    fn add(a: i32, b: i32) -> i32 {
        a.wrapping_add(b)
    }

    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }
}

/// Writes the functions that give back what they get.
macro_rules! echo {
    ($($name:ident: $type:ty),* $(,)?) => {
        $(fn $name(value: $type) -> $type { value })*
    };
}

impl Echo for Types {
    echo! {
        echo_bool: bool,
        echo_s8: i8,
        echo_s16: i16,
        echo_s32: i32,
        echo_s64: i64,
        echo_u8: u8,
        echo_u16: u16,
        echo_u32: u32,
        echo_u64: u64,
        echo_f32: f32,
        echo_f64: f64,
        echo_char: char,
        echo_string: String,
        echo_bytes: Vec<u8>,
        echo_strings: Vec<String>,
        echo_option: Option<u32>,
        echo_result: Result<String, u32>,
        echo_empty_result: Result<(), ()>,
        echo_tuple: (u32, String),
        echo_record: Point,
        echo_variant: Shape,
        echo_enum: Colour,
        echo_flags: Access,
        echo_nested: Drawing,
    }

    type Counter = Counter;
}

struct Counter {
    count: Cell<u32>,
}

impl GuestCounter for Counter {
    fn new() -> Self {
        Counter { count: Cell::new(0) }
    }

    fn add(&self, amount: u32) {
        self.count.set(self.count.get().wrapping_add(amount));
    }

    fn get(&self) -> u32 {
        self.count.get()
    }
}

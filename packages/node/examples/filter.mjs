// Filters users through a plugin that it does not trust.
import { loadPlugin } from 'sandbar';

const guest = new URL('../../../examples/quickstart/users.wasm', import.meta.url);
const filter = await loadPlugin(guest, { limits: { wall: '100ms', memory: '16MiB' } });
const users = [
  { name: 'Ada', age: 36 },
  { name: 'Tim', age: 19 },
];
const { filtered_users: adults, processed_count: seen } = await filter.transform_data({ users });
console.log(`${adults.map((user) => user.name).join(', ')}: ${adults.length} of ${seen}`);

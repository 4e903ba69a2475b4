/**
 * A client as a process of its own: `node enrolled-program.ts SOCKET PATH [KEY-FILE]` prints the value at PATH, or the
 * code of the error.
 */
import { connect, HushError } from '../../client/index.ts';

const [socket = '', path = '', clientKeyFile] = process.argv.slice(2);
try {
  const client = await connect({
    socket,
    env: {},
    ...(clientKeyFile === undefined ? {} : { clientKeyFile }),
  });
  const { value } = await client.get(path);
  process.stdout.write(new TextDecoder().decode(value));
  client.close();
} catch (error) {
  process.stdout.write(error instanceof HushError ? error.code : String(error));
}

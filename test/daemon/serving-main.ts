// A daemon that starts and hardens as hushd does, and then serves nothing but facts about its own process: the first
// line on standard output, and one more for each line on standard input, until that ends.
import { bootstrap } from '../../daemon/bootstrap.ts';

if (await bootstrap()) {
  const { serveFacts } = await import('./serving-facts.ts');
  serveFacts();
}

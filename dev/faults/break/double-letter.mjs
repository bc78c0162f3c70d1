// Dead-letters each message twice.
import { doublePublishes } from './double.mjs';

doublePublishes((exchange) => exchange === 'warren.dead');

/**
 * What commands print has no colors in the tests, which read it. Continuous integration often asks for colors, and a terminal has them.
 */
process.env['NO_COLOR'] = '1';
// Node warns of two settings that contradict each other.
delete process.env['FORCE_COLOR'];

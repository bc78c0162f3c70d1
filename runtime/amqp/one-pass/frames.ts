/** The frames of a message (AMQP 0-9-1, 2.3.5 and 4.2.6): their types, and the byte at their end. */
export const [methodFrame, headerFrame, bodyFrame] = [1, 2, 3];
export const frameEnd = 0xce;
/** Bytes in front of the payload of a frame, and around it. */
export const [frameHead, frameOverhead] = [7, 8];
/** The class of messages. */
export const basic = 60;

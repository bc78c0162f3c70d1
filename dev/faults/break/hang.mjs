// Keeps the process from coming to an end.
process.exit = () => undefined;
setInterval(() => undefined, 1000);

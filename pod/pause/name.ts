/** The name of the pause program: its file, the command that `ps` shows (`/berth-pause <sandbox id>`). */
export const PAUSE_NAME = 'berth-pause';

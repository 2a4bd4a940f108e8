// The public face of @sortie/inbox.
export {};

/** The file from which the role nginx configures the API's routes, relative to the root of the repository. */
export const routesFile = 'roles/nginx/files/routes.json';

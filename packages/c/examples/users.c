/* Loads a plugin and lets it transform users: cc users.c $(pkg-config --cflags --libs sandbar) -o users && ./users users.wasm */
#include <sandbar.h>
#include <stdio.h>
#include <string.h>

int main(int arguments_count, char **arguments) {
    const char *users = "{\"users\": [{\"name\": \"Ada\", \"age\": 36}, {\"name\": \"Tim\", \"age\": 19}]}";
    sandbar_error *error = NULL;
    sandbar_host *host = NULL;
    sandbar_plugin *plugin = NULL;
    sandbar_buffer adults = {0};

    if (arguments_count != 2) {
        fprintf(stderr, "usage: users PLUGIN\n");
        return 2;
    }
    /* There is one plugin here, and so one sandbox. */
    if (sandbar_host_new("{\"sandboxes_max\": 1}", &host, &error) == SANDBAR_DONE &&
        sandbar_plugin_load_file(host, arguments[1], NULL, &plugin, &error) == SANDBAR_DONE &&
        sandbar_plugin_call(plugin, "transform_data", users, strlen(users), NULL, &adults, &error) == SANDBAR_DONE) {
        printf("%s\n", (const char *)adults.data);
    } else {
        fprintf(stderr, "%s\n", sandbar_error_message(error));
    }
    int status = error == NULL ? 0 : 1;
    sandbar_error_free(error);
    sandbar_buffer_free(&adults);
    sandbar_plugin_free(plugin);
    sandbar_host_free(host);
    return status;
}
